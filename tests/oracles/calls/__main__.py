"""``python -m tests.oracles.calls``: records the results of this host's Linux."""

from __future__ import annotations

from tests.oracles.calls.running import FOLDER, PROGRAMS, by_linux

for name in PROGRAMS:
    lines = by_linux(name)
    (FOLDER / f"{name}.linux.txt").write_text("\n".join(lines) + "\n")
    print(f"{name}: {len(lines)} answers")

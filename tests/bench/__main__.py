"""``python -m tests.bench``: emu, qemu-riscv64 and native side by side."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from tests.bench import table
from tests.bench.run import run
from tests.bench.work import Size
from tests.bench.works import WORKS
from tests.bench.worlds import others

ROUNDS = {Size.FULL: 5, Size.QUICK: 3}
PATIENCE = {Size.FULL: 270, Size.QUICK: 50}
"""Seconds: a busy machine gives fewer rounds, not a longer run, unless their number was given."""


def main(arguments: Sequence[str]) -> int:
    """Prints the table; status 1 when some work failed."""
    names = [work.name for work in WORKS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less work, in under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there too")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=" ".join(names))
    parser.add_argument("--rounds", type=int, metavar="N", help="at most 5, or 3 with --quick")
    given = parser.parse_args(arguments)
    size = Size.QUICK if given.quick else Size.FULL
    rounds = max(1, given.rounds or ROUNDS[size])
    patience = math.inf if given.rounds else PATIENCE[size]
    began = perf_counter()

    worlds, notes = others()
    works = [work for work in WORKS if work.name in (given.only or names)]
    result = run(works, worlds, size, rounds, patience, _progress)
    _progress("")

    rows = list(result.rows.values())
    notes += sorted(set(result.failures))
    seconds = round(perf_counter() - began)
    print(table.text(rows))
    print("\n".join(["", *notes, f"rounds: {result.rounds}, {size}, {seconds} s"]))
    if given.json:
        found = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "arguments": list(arguments),
            "rounds": result.rounds,
            "seconds": seconds,
            "seconds_of_a_round": result.seconds,
            "notes": notes,
            "rows": table.as_json(rows),
        }
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if result.failures else 0


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line:60}" if line else f"\r{'':60}\r")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

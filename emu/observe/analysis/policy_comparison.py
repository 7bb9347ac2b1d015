"""Comparison of runs of a program under several fork policies, or with several page sizes: their
output and their costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from kernel.mm.outcome import Outcome

_SECONDS = "seconds, of the emulator"
_SHOWN = 24
"""Maximum number of bytes shown of a line that differs."""


@dataclass(frozen=True, slots=True)
class PolicyRun:
    """The result of a run. ``seconds`` is the emulator's time, None on a virtual clock.

    ``policy`` names what the run differs in: its fork policy, or the size of its pages.
    """

    policy: str
    status: int
    stdout: bytes
    stderr: bytes
    summary: dict[str, Any]
    seconds: float | None = None


def differences(runs: Sequence[PolicyRun]) -> list[str]:
    """One line for each difference to the first run; empty if there is none."""
    first, *others = runs
    found = []
    for run in others:
        if run.status != first.status:
            found.append(
                f"the exit status is {first.status} under {first.policy} "
                f"and {run.status} under {run.policy}"
            )
        for name in ("stdout", "stderr"):
            here, there = getattr(first, name), getattr(run, name)
            if here != there:
                found.append(f"{name} differs {_where(first.policy, here, run.policy, there)}")
    return found


def _where(policy: str, here: bytes, other: str, there: bytes) -> str:
    """The first line that differs, in both versions."""
    pairs = zip(here, there, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(here), len(there)))
    start = here.rfind(b"\n", 0, at) + 1
    line = here.count(b"\n", 0, at) + 1
    return (
        f"in line {line} (byte {at}): "
        f"{_shown(here, start, at)} under {policy}, {_shown(there, start, at)} under {other}"
    )


def _shown(output: bytes, start: int, at: int) -> str:
    """The line that starts at ``start``, or the part around ``at`` of a long one."""
    if at >= len(output) == start:
        return "nothing"
    end = output.find(b"\n", at)
    end = len(output) if end < 0 else end + 1
    first = max(start, at - _SHOWN // 2)
    shown = output[first : min(end, first + _SHOWN)]
    before, after = "…" * (first > start), "…" * (first + _SHOWN < end)
    return f"{before}{shown.decode('utf-8', 'backslashreplace')!r}{after}"


def _faults_that_copied(run: PolicyRun) -> int:
    return int(run.summary["faults"][Outcome.COPIED])


def _copied_at_stores(run: PolicyRun) -> int:
    otherwise = run.summary["frames_copied_at_forks"] + run.summary["huge_collapse_copies"]
    return int(run.summary["frames_copied"] - otherwise)


Rows: TypeAlias = tuple[tuple[str, Callable[[PolicyRun], int]], ...]
"""Names and values of the rows of a table."""

OF_POLICIES: Rows = (
    ("frames copied", lambda run: run.summary["frames_copied"]),
    ("  at stores", _copied_at_stores),
    ("  at forks", lambda run: run.summary["frames_copied_at_forks"]),
    ("pages reused, no copy", lambda run: run.summary["frames_reused"]),
    ("page-table entries written", lambda run: run.summary["ptes_written"]),
    ("page tables made", lambda run: run.summary["tables_made"]),
    ("  shared by forks instead", lambda run: run.summary["tables_shared"]),
    ("  copied at a page fault", lambda run: run.summary["tables_copied"]),
    ("page faults", lambda run: sum(run.summary["faults"].values())),
    ("peak memory, KiB", lambda run: run.summary["frames_peak"] * 4),
)


OF_PAGE_SIZES: Rows = (
    ("copied for fork, KiB", lambda run: run.summary["frames_copied"] * 4),
    ("reused, no copy, KiB", lambda run: run.summary["frames_reused"] * 4),
    ("page faults", lambda run: sum(run.summary["faults"].values())),
    ("  that copied for fork", _faults_that_copied),
    ("huge pages mapped", lambda run: run.summary["huge_mapped"]),
    ("  split into 4 KiB pages", lambda run: run.summary["huge_split"]),
    ("page-table entries written", lambda run: run.summary["ptes_written"]),
    ("page tables made", lambda run: run.summary["tables_made"]),
    ("peak memory, KiB", lambda run: run.summary["frames_peak"] * 4),
)


def comparison_text(runs: Sequence[PolicyRun], rows_shown: Rows = OF_POLICIES) -> str:
    """A table with a column for each run, at most 80 columns wide."""
    rows = [f"{'':<28}" + "".join(f"{run.policy:>16}" for run in runs)]
    rows += [
        f"{name:<28}" + "".join(f"{get(run):>16,}" for run in runs) for name, get in rows_shown
    ]
    if any(run.seconds is not None for run in runs):
        times = "".join(f"{run.seconds or 0:>16.2f}" for run in runs)
        rows.append(f"{_SECONDS:<28}{times}")
    if not differences(runs):
        first = runs[0]
        rows.append(
            f"identical: {len(first.stdout):,} bytes of stdout, "
            f"{len(first.stderr):,} of stderr, exit status {first.status}"
        )
    return "\n".join(rows)


def comparison_json(runs: Sequence[PolicyRun], key: str = "policy") -> str:
    """The table and the differences; ``key`` is the field that names a run."""
    found = differences(runs)
    return msgspec.json.encode(
        {
            "identical": not found,
            "differences": found,
            "runs": [
                {
                    key: run.policy,
                    "status": run.status,
                    "stdout_bytes": len(run.stdout),
                    "stderr_bytes": len(run.stderr),
                    "seconds": run.seconds,
                    "summary": run.summary,
                }
                for run in runs
            ],
        }
    ).decode()

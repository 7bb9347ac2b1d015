"""The goals of DESIGN.md's budget, as data: a row of the benchmark and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Goal:
    """Maximum ratio to the cost of the same work in another world; without one, nanoseconds."""

    work: str  # in the budget's words
    against: Literal["qemu", "native"] | None
    prototype: str
    at_most: float


# Row of the benchmark for each goal.
GOALS = {
    "integer loop": Goal("integer loop", "qemu", "0.8-1.2 x", 1.0),
    "random 8 MiB": Goal("random 8-byte loads and stores over 8 MiB", "qemu", "1.7-2.5 x", 1.5),
    "memset 64 MiB, 20 times": Goal("memset, 64 MiB, 20 times", "qemu", "4 x", 2.0),
    "getppid": Goal("getppid", "qemu", "17 x (naive)", 5.0),
    "first touch": Goal("first touch of an anonymous page", "native", "", 1.5),
    "CoW break, cow": Goal("CoW break of a page", "native", "", 1.0),
    "fork 1024 MiB, cow": Goal("fork with 1 GiB resident, cow", "native", "", 0.25),
    "fork 1024 MiB, shared-tables": Goal(
        "fork with 1 GiB resident, shared-tables", "native", "", 0.02
    ),
    "fork+wait, cow": Goal("fork + exit + wait of a small process", "native", "", 3.0),
    "run python3": Goal("start of a dynamic python3", "qemu", "", 3.0),
    "run hello": Goal("emu run hello from shell to shell", None, "", 80e6),
}

"""Does the line of a fault show in colour which faults copied or failed?"""

from __future__ import annotations

from emu.observe.formats.fault_line import _COLOURS, fault_line, in_colour
from emu.observe.model.outcomes import COPIES
from emu.observe.model.records import Fault, SourceLocation
from kernel.mm.outcome import FAILURES, Outcome

ESCAPES = {"copy": "\x1b[33m", "failure": "\x1b[31m", "reuse": "\x1b[32m", "other": ""}


def kind(outcome: Outcome) -> str:
    if outcome in COPIES:
        return "copy"
    if outcome in FAILURES:
        return "failure"
    return "reuse" if outcome is Outcome.REUSED else "other"


def coloured(outcome: Outcome) -> str:
    fault = Fault(
        seq=1,
        time=1,
        pid=2,
        tid=2,
        place=SourceLocation(4096),
        access="store",
        cause=15,
        stval=8192,
        outcome=outcome,
    )
    return fault_line(fault, in_colour).split(" → ")[1].split("  ")[0]


def test_has_every_outcome_the_colour_of_its_kind() -> None:
    assert set(_COLOURS) == set(Outcome)
    for outcome in Outcome:
        escape = ESCAPES[kind(outcome)]
        assert coloured(outcome).startswith(escape), outcome
        assert coloured(outcome).startswith("\x1b") == bool(escape), outcome

"""Runs the checks on a wrong kernel until one fails."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

from emu.lab.simulation.cpu import EndlessFault, Killed
from kernel.base.errors import Errno, OutOfMemory
from kernel.check.violation import InvariantBroken
from tests.wrong.checks.check import Check, Undecided
from tests.wrong.variant import Variant, broken

SECONDS = 20
"""CPU time after which a check has detected that the kernel runs for ever. The correct kernel takes
less than two seconds. On a busy machine CPU time passes more slowly, so the limit holds there too.
"""

_COMPLAINTS = (
    AssertionError, InvariantBroken, Killed, EndlessFault, Errno, OutOfMemory, RuntimeError,
)  # fmt: skip
"""Exceptions of a check, or of the kernel's own assertions. Any other is an error in the variant:
a NameError is not evidence that a check works."""


class Hangs(AssertionError):
    """The check did not end."""


@dataclass(frozen=True)
class Notice:
    """The check that noticed, and the first line of its message.

    When it was an invariant, ``check`` is the invariant's name, then where it was looked at.
    """

    check: str
    message: str
    by: str
    """Name of the check that was run."""


def notice(variant: Variant, checks: Iterable[Check]) -> Notice | None:
    """The first check that notices the variant; None when it survives them all."""
    return next(notices(variant, checks), None)


NOTICED_BY = Path(__file__).with_name("noticed_by.json")
"""The first check that noticed each variant, as ``make wrong-kernels`` found it last."""


@cache
def _noticed_by() -> dict[str, str]:
    found: dict[str, str] = json.loads(NOTICED_BY.read_text())
    return found


def likely_first(variant: Variant, checks: Iterable[Check]) -> list[Check]:
    """The checks, with the one first that noticed the variant before."""
    likely = _noticed_by().get(variant.name)
    return sorted(checks, key=lambda check: check.name != likely)


def notices(variant: Variant, checks: Iterable[Check]) -> Iterator[Notice]:
    """Every check that notices the variant."""
    for check in checks:
        check.prepare()
        found = _complaint(variant, check)
        if found is not None:
            yield found


def _complaint(variant: Variant, check: Check) -> Notice | None:
    try:
        with broken(variant), _alarm():
            check.run()
    except InvariantBroken as error:
        first = error.violations[0]
        return Notice(f"invariant {first.name} ({check.name})", _line(first.message), check.name)
    except _COMPLAINTS as error:
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return Notice(check.name, kind + _line(str(error)), check.name)
    except Undecided:
        raise
    except Exception as error:
        error.add_note(f"the variant {variant.name} is invalid: raised in {check.name}")
        raise
    return None


def _line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else "(no message)"


@contextmanager
def _alarm() -> Iterator[None]:
    def rings(signo: int, frame: FrameType | None) -> None:
        raise Hangs(f"it still ran after {SECONDS} seconds of the processor")

    before = signal.signal(signal.SIGPROF, rings)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)

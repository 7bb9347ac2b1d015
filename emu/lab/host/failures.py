"""What can be wrong with a student's code, as values with what a message needs.

A :class:`StudentFailed` ends a test, or a run: nothing sensible can follow. Each kind can give the
account of itself in the subject's words; a traceback of ours never reaches a student.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emu.lab.kit.port import Place


class StudentFailed(Exception):
    """The student's code did what it must not. ``name`` is a test's or an invariant's."""

    name = "failed"

    def __init__(self, headline: str, details: list[str] | None = None) -> None:
        super().__init__(headline)
        self.headline = headline
        self.details = details or []
        """Lines for the student, below the headline."""


class Unimplemented(StudentFailed):
    """The function is still as the skeleton has it."""

    name = "not-implemented"


class ExceptionRaised(StudentFailed):
    """The code raised an exception that it may not."""

    name = "raised"


class TimedOut(StudentFailed):
    """The code did not come back."""

    name = "too-long"


class ProcessEnded(StudentFailed):
    """The process of the code is gone: it exited, or one of its limits ended it."""

    name = "ended"


class WrongResult(StudentFailed):
    """The code returned what it may not."""

    name = "wrong-result"


class NotAllowed(StudentFailed):
    """The code asked of the machine what a kernel may not do, such as a PTE outside a table."""

    name = "not-allowed"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold: ``name`` is the invariant's or the test's."""

    name: str
    lines: list[str] = field(default_factory=list)
    also: frozenset[str] = frozenset()
    """Names of all invariants and comparisons that fail at that moment."""


class KernelStopped(StudentFailed):
    """The kernel's own code met what can't be, for a student's code has left things so."""

    name = "kernel-stopped"

    def __init__(self, error: Exception) -> None:
        super().__init__(
            "the kernel can't go on with what your code has left in memory",
            [f"{type(error).__name__}: {error}"[:300]],
        )


class InvariantViolated(StudentFailed):
    """After the code returned, an invariant of the machine's memory does not hold."""

    def __init__(self, finding: Finding, when: str) -> None:
        super().__init__(when, finding.lines)
        self.name = finding.name


REFERENCE = "the reference"
"""Prefix of the names of files that stand in for a student's: see ``Student.stand_in``."""


def place_text(place: Place) -> str:
    """A place as ``cow_fork.py:41, in share_page()``."""
    if not place.file:
        return "outside your file"
    if place.file.startswith(REFERENCE):
        return f"no line of yours: {REFERENCE} stood in here"
    where = f"{place.file}:{place.line}"
    return f"{where}, in {place.function}()" if place.function.isidentifier() else where


def traceback_lines(places: list[Place], sources: dict[str, list[str]]) -> list[str]:
    """A traceback of the lab's files alone, innermost last; long ones lose their middle."""
    if len(places) > 12:
        shown: list[Place | None] = [*places[:6], None, *places[-5:]]
    else:
        shown = list(places)
    lines = []
    for place in shown:
        if place is None:
            lines.append("…")
            continue
        lines.append(place_text(place))
        source = sources.get(place.file, [])
        if 0 < place.line <= len(source):
            lines.append(f"    {source[place.line - 1].strip()}")
    return lines

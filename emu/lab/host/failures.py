"""Failures of a student's code, with the text of their messages.

A :class:`StudentFailed` ends a test, or a run. Its text describes the failure in terms of the lab;
a traceback of the project's code is never shown to a student.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emu.lab.kit.port import Place


class StudentFailed(Exception):
    """The student's code failed. ``name`` is the name of a test or an invariant."""

    name = "failed"

    def __init__(self, headline: str, details: list[str] | None = None) -> None:
        super().__init__(headline)
        self.headline = headline
        self.details = details or []
        """Lines for the student, shown below the headline."""


class Unimplemented(StudentFailed):
    """The function raises NotImplementedError, as in the skeleton."""

    name = "not-implemented"


class ExceptionRaised(StudentFailed):
    """The code raised an exception that is not part of its interface."""

    name = "raised"


class TimedOut(StudentFailed):
    """The code did not return within its time limit."""

    name = "too-long"


class ProcessEnded(StudentFailed):
    """The process of the code ended: it exited, or exceeded a limit."""

    name = "ended"


class WrongResult(StudentFailed):
    """The code returned an invalid result."""

    name = "wrong-result"


class NotAllowed(StudentFailed):
    """The code issued a command that a kernel must not, such as a PTE outside a table."""

    name = "not-allowed"


@dataclass(frozen=True, slots=True)
class Finding:
    """A violated invariant or a failed comparison; ``name`` identifies it."""

    name: str
    lines: list[str] = field(default_factory=list)
    also: frozenset[str] = frozenset()
    """Names of all invariants and comparisons that fail at the same time."""


class KernelStopped(StudentFailed):
    """The kernel's own code raised an exception because of the state that the code left."""

    name = "kernel-stopped"

    def __init__(self, error: Exception) -> None:
        super().__init__(
            "the kernel cannot continue with the state that your code left in memory",
            [f"{type(error).__name__}: {error}"[:300]],
        )


class InvariantViolated(StudentFailed):
    """After the code returned, an invariant of the machine's memory is violated."""

    def __init__(self, finding: Finding, when: str) -> None:
        super().__init__(when, finding.lines)
        self.name = finding.name


REFERENCE = "the reference"
"""Prefix of the names of files that replace a student's: see ``Student.replacement``."""


def place_text(place: Place) -> str:
    """Returns the text of a place, such as ``cow_fork.py:41, in share_page()``."""
    if not place.file:
        return "outside your file"
    if place.file.startswith(REFERENCE):
        return f"not in your file: {REFERENCE} replaced it here"
    where = f"{place.file}:{place.line}"
    return f"{where}, in {place.function}()" if place.function.isidentifier() else where


def traceback_lines(places: list[Place], sources: dict[str, list[str]]) -> list[str]:
    """Returns a traceback of the lab's files, innermost last; the middle of long ones is cut."""
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

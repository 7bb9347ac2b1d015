"""Kinds of graded tests of the lab ``tlb``: the fences are sufficient, and not excessive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from emu.lab.components.lab_machine import LabMachine
from emu.lab.graded.submission import Submission
from emu.lab.host.failures import StudentFailed
from emu.lab.host.result_types import check_hart
from emu.lab.kit.values import Fence, PteChange
from emu.lab.labs.tlb.model.fence_rules import (
    EntryClass,
    Kind,
    flushed_by,
    needed_fences,
    needed_fences_for_switch,
)
from emu.lab.labs.tlb.model.kernel import Answers, FenceQuery, function_for
from emu.lab.labs.tlb.model.messages import change_line, fences_text, switch_line, to_failure
from emu.lab.labs.tlb.model.search import Scenario, shortest
from emu.lab.simulation.differential import Failure

_MEMORY = 1 << 20
_MAX_LINES = 4
_HARTS = 4
"""Number of harts in tests of single calls."""


_HARTS_TEST = "which-harts"
"""Name of the test that checks which harts are fenced."""


@contextmanager
def answers(submission: Submission, harts: int, *, on_all: bool = False) -> Iterator[Answers]:
    """Starts the student's two functions in a separate process.

    With ``on_all`` a change concerns all harts, another hart makes it, and all execute each fence.
    """
    machine = LabMachine(submission.files, _MEMORY)

    def ask(question: FenceQuery) -> list[Fence]:
        if on_all and isinstance(question, PteChange):
            question = question._replace(harts=tuple(range(harts)), here=harts)
        fences: list[Fence] = machine.student.call("tlb", function_for(question), question)
        if on_all:
            return [each._replace(hart=hart) for each in fences for hart in range(harts)]
        return fences

    try:
        yield Answers(ask, harts)
    finally:
        machine.close()


@dataclass(frozen=True, slots=True)
class NoHarm:
    """Checks that no sequence of up to ``depth`` events leaves a harmful entry on a hart.

    If the test that checks which harts are fenced fails, this one does not check that, unless it
    has ``asks_about_harts``.
    """

    name: str
    question: str
    scenario: Callable[[], Scenario]
    depth: int
    points: int = 5
    asks_about_harts: bool = False

    def run(self, submission: Submission) -> Failure | None:
        failure = self._search(submission)
        if failure is None or self.asks_about_harts or not submission.fails(_HARTS_TEST):
            return failure
        return failure if self._search(submission, on_all=True) is not None else None

    def _search(self, submission: Submission, *, on_all: bool = False) -> Failure | None:
        scenario = self.scenario()
        try:
            with answers(submission, harts=2, on_all=on_all) as ask:
                harmful = shortest(scenario, ask, self.depth)
        except StudentFailed as failed:
            return Failure.of(failed)
        return None if harmful is None else to_failure(harmful, scenario.start)


class Case(NamedTuple):
    """One call of a student's function, and the reason for the correct result."""

    question: FenceQuery
    why: str


@dataclass(frozen=True, slots=True)
class Exact:
    """Checks that each result has the required fences, and none that flush more."""

    name: str
    question: str
    cases: Sequence[Case]
    points: int = 5

    def run(self, submission: Submission) -> Failure | None:
        try:
            with answers(submission, _HARTS) as ask:
                for case in self.cases:
                    fences = ask(case.question)
                    failure = compare(case, fences)
                    if failure is not None:
                        return failure
        except StudentFailed as failed:
            return Failure.of(failed)
        return None


def compare(case: Case, fences: Sequence[Fence]) -> Failure | None:
    """Compares the entries that the fences flush with those that must be flushed."""
    question = case.question
    if isinstance(question, PteChange):
        change, due = question, needed_fences(question)
    else:
        change = PteChange(0, 0, question.asid, 0, 0, (question.hart,), question.hart)
        due = needed_fences_for_switch(question)
    for fence in fences:
        check_hart(fence, _HARTS, function_for(question))
    flushed, expected = flushed_by(fences, change), flushed_by(due, change)
    if missing := expected - flushed:
        return _failure("flushed-too-little", case, fences, _lines("may still use", missing, case))
    if excess := flushed - expected:
        return _failure("flushed-too-much", case, fences, _lines("flushes", excess, case))
    if len(fences) > len(due):
        line = f"{len(fences)} fences (expected {len(due)} with the same effect)"
        return _failure("fenced-twice", case, fences, [line])
    return None


def _failure(name: str, case: Case, fences: Sequence[Fence], lines: list[str]) -> Failure:
    question = case.question
    if isinstance(question, PteChange):
        harts = ", ".join(map(str, question.harts)) or "none"
        head = [
            f"PTE of {change_line(question)}",
            f"ASID {question.asid}; harts that may have cached it: {harts}; "
            f"the kernel runs on hart {question.here}",
        ]
    else:
        head = [switch_line(question)]
    lines = [*head, f"you returned: {fences_text(fences)}", *lines, case.why]
    return Failure(name, f"after one call of {function_for(question)}()", lines)


def _lines(verb: str, what: set[EntryClass], case: Case) -> list[str]:
    """Lines for the classes of entries, those closest to the change first."""
    change = case.question
    order = sorted(
        what, key=lambda each: (each.hart, not each.same_asid, not each.here, each.kind.value)
    )
    lines = [f"hart {each.hart} {verb} {_what(each, change)}" for each in order]
    texts = list(dict.fromkeys(lines))
    more = len(texts) - _MAX_LINES
    return [*texts[:_MAX_LINES], *([f"and {more} more"] if more > 0 else [])]


def _what(each: EntryClass, change: FenceQuery) -> str:
    if not isinstance(change, PteChange):
        return f"entries of {f'ASID {change.asid}' if each.same_asid else 'other ASIDs'}"
    whose = f"ASID {change.asid}" if each.same_asid else "other ASIDs"
    where = f"{change.address:#x}" if each.here else "every other page"
    if each.kind is Kind.GLOBAL:
        return f"{'the global page ' if each.here else 'global pages, '}{where}"
    if each.kind is Kind.POINTER:
        return f"the pointers to the tables of {whose}"
    return f"{where} of {whose}"

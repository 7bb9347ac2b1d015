"""The kinds of graded tests of the lab ``tlb``: whether it is safe, and no more than needed."""

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
from emu.lab.labs.tlb.model.fence_rules import Kind, Remembered, forgotten, needed, needed_for
from emu.lab.labs.tlb.model.kernel import Answers, Question, function_for
from emu.lab.labs.tlb.model.messages import change_line, fences_text, switch_line, told
from emu.lab.labs.tlb.model.search import World, shortest
from emu.lab.simulation.differential import Failure

_MEMORY = 1 << 20
_MOST_LINES = 4
_HARTS = 4
"""Of the machine that single questions are asked about."""


_HARTS_TEST = "which-harts"
"""The test that asks which harts are fenced."""


@contextmanager
def answers(submission: Submission, harts: int, *, on_all: bool = False) -> Iterator[Answers]:
    """Starts the student's two functions in a separate process.

    With ``on_all`` a change concerns all harts, another hart makes it, and all execute each fence.
    """
    machine = LabMachine(submission.files, _MEMORY)

    def ask(question: Question) -> list[Fence]:
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

    Another test asks which harts are fenced; if it fails, this one does not check that, unless it
    ``asks_about_harts`` too.
    """

    name: str
    question: str
    world: Callable[[], World]
    depth: int
    points: int = 5
    asks_about_harts: bool = False

    def run(self, submission: Submission) -> Failure | None:
        failure = self._search(submission)
        if failure is None or self.asks_about_harts or not submission.fails(_HARTS_TEST):
            return failure
        return failure if self._search(submission, on_all=True) is not None else None

    def _search(self, submission: Submission, *, on_all: bool = False) -> Failure | None:
        world = self.world()
        try:
            with answers(submission, harts=2, on_all=on_all) as asked:
                harmful = shortest(world, asked, self.depth)
        except StudentFailed as failed:
            return Failure.of(failed)
        return None if harmful is None else told(harmful, world.start)


class Case(NamedTuple):
    """One question, and why the right answer is right."""

    question: Question
    why: str


@dataclass(frozen=True, slots=True)
class Exact:
    """Each question gets the fences that it needs, and none that forget more."""

    name: str
    question: str
    cases: Sequence[Case]
    points: int = 5

    def run(self, submission: Submission) -> Failure | None:
        try:
            with answers(submission, _HARTS) as asked:
                for case in self.cases:
                    fences = asked(case.question)
                    failure = compared(case, fences)
                    if failure is not None:
                        return failure
        except StudentFailed as failed:
            return Failure.of(failed)
        return None


def compared(case: Case, fences: Sequence[Fence]) -> Failure | None:
    """What is wrong with an answer, by what the harts forget."""
    question = case.question
    if isinstance(question, PteChange):
        change, due = question, needed(question)
    else:
        change = PteChange(0, 0, question.asid, 0, 0, (question.hart,), question.hart)
        due = needed_for(question)
    for fence in fences:
        check_hart(fence, _HARTS, function_for(question))
    done, wanted = forgotten(fences, change), forgotten(due, change)
    if kept := wanted - done:
        return _failure("kept-too-much", case, fences, _lines("may still use", kept, case))
    if lost := done - wanted:
        return _failure("forgot-too-much", case, fences, _lines("forgets", lost, case))
    if len(fences) > len(due):
        line = f"{len(fences)} fences, where {len(due)} do the same"
        return _failure("fenced-twice", case, fences, [line])
    return None


def _failure(name: str, case: Case, fences: Sequence[Fence], lines: list[str]) -> Failure:
    question = case.question
    if isinstance(question, PteChange):
        harts = ", ".join(map(str, question.harts)) or "none"
        head = [
            f"PTE of {change_line(question)}",
            f"ASID {question.asid}; harts that may remember it: {harts}; the kernel runs on hart "
            f"{question.here}",
        ]
    else:
        head = [switch_line(question)]
    lines = [*head, f"you returned: {fences_text(fences)}", *lines, case.why]
    return Failure(name, f"after one call of {function_for(question)}()", lines)


def _lines(verb: str, what: set[Remembered], case: Case) -> list[str]:
    """A line for each of the things; those nearest to the change first."""
    change = case.question
    order = sorted(
        what, key=lambda each: (each.hart, not each.same_asid, not each.here, each.kind.value)
    )
    lines = [f"hart {each.hart} {verb} {_what(each, change)}" for each in order]
    texts = list(dict.fromkeys(lines))
    more = len(texts) - _MOST_LINES
    return [*texts[:_MOST_LINES], *([f"and {more} more"] if more > 0 else [])]


def _what(each: Remembered, change: Question) -> str:
    if not isinstance(change, PteChange):
        return f"what it knows of {f'ASID {change.asid}' if each.same_asid else 'other ASIDs'}"
    whose = f"ASID {change.asid}" if each.same_asid else "other ASIDs"
    where = f"{change.address:#x}" if each.here else "every other page"
    if each.kind is Kind.GLOBAL:
        return f"{'the global page ' if each.here else 'global pages, '}{where}"
    if each.kind is Kind.POINTER:
        return f"the pointers to the tables of {whose}"
    return f"{where} of {whose}"

"""Kinds of graded tests of the lab ``walk``: lists of cases, and random tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from emu.lab.graded.submission import Submission
from emu.lab.host.failures import StudentFailed
from emu.lab.kit.values import Access, Mode
from emu.lab.labs.walk.messages import to_failure
from emu.lab.labs.walk.translations import SATP, Bench, Case, Verdict
from emu.lab.simulation.differential import Failure
from emu.machine.pte import PAGE_MASK


@dataclass(frozen=True, slots=True)
class Translations:
    """Runs cases in order, the simplest first, and reports the first that fails."""

    name: str
    question: str
    cases: Callable[[], Iterable[Case]]
    points: int = 4
    needless_stores: bool = False
    """True if needless stores to PTEs fail the test. Only some do, so that one slip does not fail
    all tests.
    """

    def run(self, submission: Submission) -> Failure | None:
        try:
            with Bench(submission.files) as bench:
                verdict = bench.first_wrong(self.cases(), self.needless_stores)
                return to_failure(self.name, bench, verdict) if verdict is not None else None
        except StudentFailed as failed:
            return Failure.of(failed)


@dataclass(frozen=True, slots=True)
class RandomTables:
    """Runs random cases, and simplifies the first that fails."""

    seeded: ClassVar[bool] = True

    name: str
    question: str
    make: Callable[[random.Random], Case]
    points: int = 12
    count: int = 4000

    def run(self, submission: Submission) -> Failure | None:
        source = random.Random(submission.seed)
        cases = (self.make(source) for _ in range(self.count))
        try:
            with Bench(submission.files) as bench:
                verdict = bench.first_wrong(cases)
                if verdict is None:
                    return None
                return to_failure(self.name, bench, simplest(bench, verdict))
        except StudentFailed as failed:
            return Failure.of(failed)


_MAX_TRIALS = 1500


def simplest(bench: Bench, verdict: Verdict) -> Verdict:
    """Reduces a failing case until nothing can be removed without changing the kind of failure.

    A case in which the code raises is returned as it is: each trial would need a new process.
    """
    if isinstance(verdict.found, StudentFailed):
        return verdict
    trials = 0
    smaller = True
    while smaller:
        smaller = False
        for case in _simpler(verdict.case):
            trials += 1
            if trials > _MAX_TRIALS:
                return verdict
            found = bench.judge(case)
            if not found.right and found.kind == verdict.kind:
                verdict, smaller = found, True
                break
    return verdict


def _simpler(case: Case) -> Iterator[Case]:
    """Cases without one PTE, the ASID, one flag of the mode, the offset, or one bit of a PTE."""
    if case.satp != SATP:
        yield case._replace(satp=SATP)
    for address in case.entries:
        yield case._replace(entries={at: p for at, p in case.entries.items() if at != address})
    for mode in _simpler_modes(case.mode):
        yield case._replace(mode=mode)
    if case.access is not Access.LOAD:
        yield case._replace(access=Access.LOAD)
    if case.va & PAGE_MASK:
        yield case._replace(va=case.va & ~PAGE_MASK)
    for address, pte in case.entries.items():
        for bit in _flag_bits(pte):
            yield case._replace(entries={**case.entries, address: pte & ~bit})


def _simpler_modes(mode: Mode) -> Sequence[Mode]:
    modes = []
    if mode.sum:
        modes.append(mode._replace(sum=False))
    if mode.mxr:
        modes.append(mode._replace(mxr=False))
    return modes


def _flag_bits(pte: int) -> Iterator[int]:
    """Bits of a PTE outside its PPN."""
    for number in (*range(63, 53, -1), *range(9, -1, -1)):
        if pte >> number & 1:
            yield 1 << number

"""Graded tests of the lab ``walk``: crafted cases, all combinations of flags, random tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from emu.lab.graded.submission import Submission
from emu.lab.host.failures import StudentFailed
from emu.lab.kit.values import Access, Mode
from emu.lab.labs.walk.messages import told
from emu.lab.labs.walk.translations import SATP, Bench, Case, Verdict
from emu.lab.simulation.differential import Failure
from emu.machine.pte import PAGE_MASK


@dataclass(frozen=True, slots=True)
class Translations:
    """Cases in their order: the first that is wrong is told, so the simplest come first."""

    name: str
    question: str
    cases: Callable[[], Iterable[Case]]
    points: int = 4
    needless_stores: bool = False
    """Whether it asks for them: where all ask, one slip fails every test."""

    def run(self, submission: Submission) -> Failure | None:
        try:
            with Bench(submission.files) as bench:
                verdict = bench.first_wrong(self.cases(), self.needless_stores)
                return told(self.name, bench, verdict) if verdict is not None else None
        except StudentFailed as failed:
            return Failure.of(failed)


@dataclass(frozen=True, slots=True)
class RandomTables:
    """Random cases; one that is wrong is made as simple as it can be."""

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
                return told(self.name, bench, simplest(bench, verdict))
        except StudentFailed as failed:
            return Failure.of(failed)


_MOST_TRIALS = 1500


def simplest(bench: Bench, verdict: Verdict) -> Verdict:
    """A case that is wrong in the same way, of which nothing can be left out.

    Code that raises costs a process for each trial, so there only what the drawing shows is kept.
    """
    if isinstance(verdict.found, StudentFailed):
        return verdict
    trials = 0
    smaller = True
    while smaller:
        smaller = False
        for case in _simpler(verdict.case):
            trials += 1
            if trials > _MOST_TRIALS:
                return verdict
            found = bench.judge(case)
            if not found.right and found.kind == verdict.kind:
                verdict, smaller = found, True
                break
    return verdict


def _simpler(case: Case) -> Iterator[Case]:
    """Cases with a little less: a PTE, the ASID, a flag of the mode, the offset, a bit of a PTE."""
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
    """The bits of a PTE beside its PPN."""
    for number in (*range(63, 53, -1), *range(9, -1, -1)):
        if pte >> number & 1:
            yield 1 << number

"""Processes of a run: parent, program, lifetime, exit status and memory samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emu.observe.model.records import Sample
from emu.observe.report.compact import differences


@dataclass(slots=True)
class Process:
    pid: int
    parent: int | None
    began: int
    program: str = ""
    ended: int | None = None
    status: int | None = None
    borrowed: bool = False
    samples: list[Sample] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        samples = self.samples
        return {
            "pid": self.pid,
            "parent": self.parent,
            "began": self.began,
            "program": self.program,
            "ended": self.ended,
            "status": self.status,
            "borrowed": self.borrowed,
            "sampled": differences([sample.time for sample in samples]),
            "resident": [sample.resident for sample in samples],
            "proportional": [sample.proportional for sample in samples],
            "unique": [sample.unique for sample in samples],
        }


class Processes:
    """Processes numbered in order of appearance; a reused pid is a new process."""

    def __init__(self) -> None:
        self._all: list[Process] = []
        self._numbers: dict[int, int] = {}

    def number(self, pid: int, time: int) -> int:
        """Returns the number of the process that has ``pid`` now; adds it if it is unknown."""
        number = self._numbers.get(pid)
        return self._add(Process(pid, None, time)) if number is None else number

    def forked(self, pid: int, child: int, time: int, *, borrowed: bool) -> tuple[int, int]:
        parent = self.number(pid, time)
        program = self._all[parent].program
        return parent, self._add(Process(child, parent, time, program, borrowed=borrowed))

    def execed(self, pid: int, path: str, time: int) -> int:
        number = self.number(pid, time)
        self._all[number].program = path
        self._all[number].borrowed = False
        return number

    def exited(self, pid: int, status: int, time: int) -> int:
        number = self.number(pid, time)
        self._all[number].ended, self._all[number].status = time, status
        del self._numbers[pid]
        return number

    def sampled(self, sample: Sample) -> None:
        """Adds a sample; drops the previous one if it equals both its neighbours."""
        samples = self._all[self.number(sample.pid, sample.time)].samples
        if len(samples) > 1 and _use(samples[-1]) == _use(samples[-2]) == _use(sample):
            samples.pop()
        samples.append(sample)

    def data(self) -> list[dict[str, Any]]:
        return [process.data() for process in self._all]

    def _add(self, process: Process) -> int:
        self._all.append(process)
        number = self._numbers[process.pid] = len(self._all) - 1
        return number


def _use(sample: Sample) -> tuple[int, float, int]:
    return sample.resident, sample.proportional, sample.unique

"""The catalogue of labs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files

from emu.errors import CommandError
from emu.lab.graded.mutant import Mutant
from emu.lab.graded.submission import Submission, Test
from emu.lab.host.failures import REFERENCE
from emu.lab.host.student import LabFile
from emu.lab.workspace.skeleton import skeleton, solution


@dataclass(frozen=True, slots=True)
class Lab:
    """One lab, whose files are in the package ``emu.lab.labs.<module>``."""

    number: int
    name: str
    title: str
    core: bool = False
    guests: tuple[str, ...] = ()
    """Names of the C programs in :mod:`guest` that are copied to a student's folder."""

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def file(self) -> str:
        """Name of the Python file that the student completes."""
        return f"{self.module}.py"

    def _text(self, name: str) -> str:
        return (files("emu.lab.labs") / self.module / name).read_text(encoding="utf-8")

    @property
    def handout(self) -> str:
        return self._text("HANDOUT.md")

    @property
    def skeleton(self) -> str:
        return skeleton(self._text(self.file))

    @property
    def solution(self) -> str:
        return solution(self._text(self.file))

    @property
    def tests(self) -> Sequence[Test]:
        tests: Sequence[Test] = import_module(f"emu.lab.labs.{self.module}.tests").TESTS
        return tests

    @property
    def mutants(self) -> Sequence[Mutant]:
        """Wrong solutions that the lab's tests must detect."""
        mutants: Sequence[Mutant] = import_module(f"emu.lab.labs.{self.module}.mutants").MUTANTS
        return mutants

    def submission(self, files: Sequence[LabFile], seed: int = 0) -> Submission:
        """A student's work on this lab; ``files`` may contain those of other labs too."""
        return Submission(self.name, files, self.tests, solutions(files), seed)


_FORKING_GUESTS = ("isolation", "fork_tree")
"""Guests that fork and check their memory."""

LABS = {
    lab.name: lab
    for lab in (
        Lab(
            1,
            "walk",
            "translate an address: the page-table walk",
            core=True,
            guests=_FORKING_GUESTS,
        ),
        Lab(2, "frames", "allocate, share and release frames", core=True, guests=_FORKING_GUESTS),
        Lab(
            3,
            "eager-fork",
            "fork by copying an address space",
            core=True,
            guests=("isolation", "fork_tree", "fork_chain", "fork_exec", "read_only"),
        ),
        Lab(
            4,
            "cow-fork",
            "fork by sharing, copy on write",
            core=True,
            guests=(
                *("isolation", "fork_tree", "fork_chain", "straddle", "kernel_writes"),
                *("read_only", "sole_owner", "second_write", "atomics"),
            ),
        ),
        Lab(
            5,
            "demand",
            "allocate memory on the first access: demand paging",
            guests=("brk", "zero_page", "mappings", "fork_exec", "stack_overflow"),
        ),
        Lab(6, "tlb", "which TLB entries to flush, and when", guests=_FORKING_GUESTS),
        Lab(
            7,
            "superpages",
            "map 2 MiB at once, split on a copy",
            guests=("large_pages", "isolation"),
        ),
        Lab(
            8,
            "shared-tables",
            "fork that shares page tables",
            guests=("isolation", "fork_tree", "protect"),
        ),
    )
}


def solutions(files: Sequence[LabFile]) -> list[LabFile]:
    """The reference solution of each file, under a name that shows it in messages."""
    labs = [find(file.lab) for file in files]
    return [LabFile(lab.name, f"{REFERENCE} {lab.file}", lab.solution) for lab in labs]


class NoSuchLab(CommandError):
    """No lab has that name or number."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r}: unknown lab (expected {', '.join(LABS)}, or a number)")


def find(name: str) -> Lab:
    """Returns the lab of that name or number. Raises :class:`NoSuchLab`."""
    for lab in LABS.values():
        if name in (lab.name, str(lab.number), lab.module):
            return lab
    raise NoSuchLab(name)

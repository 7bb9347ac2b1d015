"""The kernel of the lab ``tlb``'s model: executes the student's fences after every change."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emu.lab.host.result_types import check_hart
from emu.lab.kit.values import Fence, PteChange, Switch
from emu.lab.labs.tlb.model.machine import HARTS, Key, Machine, Space

FenceQuery = PteChange | Switch
Ask = Callable[[FenceQuery], list[Fence]]
"""The student's two functions."""


class FenceReply(NamedTuple):
    """Argument and result of a call of a student's function."""

    question: FenceQuery
    space: int | None
    """Number of the address space that was changed; None for the kernel's own PTEs."""
    fences: list[Fence]


class Answers:
    """Results of the student's functions; each query is made once, and cached."""

    def __init__(self, ask: Ask, harts: int = HARTS) -> None:
        self._ask = ask
        self._harts = harts
        self._known: dict[FenceQuery, list[Fence]] = {}

    def __call__(self, question: FenceQuery) -> list[Fence]:
        """Raises :class:`StudentFailed`."""
        known = self._known.get(question)
        if known is None:
            known = self._known[question] = self._ask(question)
            for fence in known:
                check_hart(fence, self._harts, function_for(question))
        return known


def function_for(question: FenceQuery) -> str:
    return "fences" if isinstance(question, PteChange) else "fences_for_switch"


class Kernel:
    """Changes a machine, and records the student's fences in ``replies``."""

    def __init__(self, machine: Machine, answers: Answers) -> None:
        self.machine = machine
        self.replies: list[FenceReply] = []
        self._answers = answers

    def change(self, space: Space | None, key: Key, after: int) -> None:
        """Writes one PTE (``space`` is None for the kernel's own), and executes the fences."""
        ptes = self.machine.shared if space is None else space.ptes
        before = ptes.get(key, 0)
        if before == after:
            return
        if after:
            ptes[key] = after
        else:
            del ptes[key]
        change = PteChange(
            key.address,
            key.level,
            0 if space is None else space.asid,
            before,
            after,
            tuple(range(HARTS)) if space is None else tuple(sorted(space.ran_on)),
            self._here(space),
        )
        self._ask(change, None if space is None else space.number)

    def run(self, hart: int, number: int) -> None:
        """Switches a hart to a process."""
        machine = self.machine
        space = machine.spaces[number]
        last = machine.last.get((hart, space.asid))
        machine.running[hart] = number
        machine.last[hart, space.asid] = number
        space.ran_on.add(hart)
        if last not in (None, number) and last in machine.spaces:
            machine.spaces[last].ran_on.discard(hart)
        self._ask(Switch(hart, space.asid, number, last), number)

    def _here(self, space: Space | None) -> int:
        hart = None if space is None else self.machine.hart_of(space.number)
        return hart or 0

    def _ask(self, question: FenceQuery, space: int | None) -> None:
        fences = self._answers(question)
        self.replies.append(FenceReply(question, space, fences))
        self.machine.fence(fences)
        self.machine.fill()

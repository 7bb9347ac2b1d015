"""The kernel of the lab ``tlb``'s model: whatever it does to a table, it asks for the fences."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emu.lab.host.result_types import check_hart
from emu.lab.kit.values import Fence, PteChange, Switch
from emu.lab.labs.tlb.model.machine import HARTS, Key, Machine, Space

Question = PteChange | Switch
Ask = Callable[[Question], list[Fence]]
"""The student's two functions."""


class Asked(NamedTuple):
    """What the student was told, and what came back."""

    question: Question
    space: int | None
    """Whose table was changed; None for the kernel's own."""
    fences: list[Fence]


class Answers:
    """What the student's functions said: each question is asked once."""

    def __init__(self, ask: Ask, harts: int = HARTS) -> None:
        self._ask = ask
        self._harts = harts
        self._known: dict[Question, list[Fence]] = {}

    def __call__(self, question: Question) -> list[Fence]:
        """Raises :class:`StudentFailed`."""
        known = self._known.get(question)
        if known is None:
            known = self._known[question] = self._ask(question)
            for fence in known:
                check_hart(fence, self._harts, function_for(question))
        return known


def function_for(question: Question) -> str:
    return "fences" if isinstance(question, PteChange) else "fences_for_switch"


class Kernel:
    """Changes a machine. ``asked`` has what the student was asked on the way."""

    def __init__(self, machine: Machine, answers: Answers) -> None:
        self.machine = machine
        self.asked: list[Asked] = []
        self._answers = answers

    def change(self, space: Space | None, key: Key, after: int) -> None:
        """Writes one PTE (``space`` is None for one of the kernel's own), and fences."""
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
        """Gives a hart a process to run."""
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

    def _ask(self, question: Question, space: int | None) -> None:
        fences = self._answers(question)
        self.asked.append(Asked(question, space, fences))
        self.machine.fence(fences)
        self.machine.fill()

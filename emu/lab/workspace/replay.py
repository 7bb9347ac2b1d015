"""``emu lab replay``: plays the operations that led to a failure, and tells of every step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from emu.errors import CommandError
from emu.lab.host.student import LabFile
from emu.lab.simulation.differential import SimulationConfig, Trace, run_differential
from emu.lab.simulation.machine import OperationResult, SimulatedMachine
from emu.lab.simulation.operations import Operation, from_json
from emu.lab.text.pte_text import pte_text
from emu.lab.text.sanitize import sanitize_lines
from emu.lab.workspace.catalogue import solutions
from emu.machine.pte import ppn


class NothingKept(CommandError):
    """There is no such failure to be played; the message says what to do."""


def replay(kept: dict[str, Any], files: Sequence[LabFile], say: Callable[[str], None]) -> bool:
    """Whether it fails still. Raises :class:`NothingKept` for what is no kept failure."""
    try:
        operations = from_json(kept["operations"])
        reference_steps = frozenset(map(int, kept.get("stood_in", ())))
        policy, frames = str(kept["policy"]), int(kept["frames"])
        stage = SimulationConfig(files, solutions(files), policy, frames, reference_steps)
    except (LookupError, TypeError, ValueError):
        raise NothingKept("what was kept can't be read; run emu lab check again") from None
    if not operations:
        raise NothingKept(f"test {kept.get('number')} has no sequence to play; check it again")
    failure = run_differential(stage, operations, _Teller(say, reference_steps))
    say("")
    if failure is None:
        say(f"test {kept.get('number')}'s {kept.get('name')} does not fail any more")
        return False
    say(f"FAIL  {failure.name}   {failure.when}")
    for line in failure.lines:
        say(f"    {line}")
    return True


class _Teller(Trace):
    """Says what each operation did, with the orders that the student's code gave."""

    def __init__(self, say: Callable[[str], None], reference_steps: Collection[int]) -> None:
        self._say = say
        self._stands_in = reference_steps
        self._number = 0
        self._shown = 0

    def operation(
        self, operation: Operation, seen: OperationResult | None, world: SimulatedMachine
    ) -> None:
        by = "   (done by the reference)" if self._number in self._stands_in else ""
        self._number += 1
        self._say(f"{self._number:>3}  {operation}{by}")
        for line in world.command_log():
            self._say(f"       {line}")
        for line in self._printed(world):
            self._say(f"       printed: {line}")
        if seen is not None:
            value = "" if seen.value is None else f": {seen.value:#04x}"
            used = f"{seen.used} frame{'s' * (seen.used != 1)} in use"
            self._say(f"       → {seen.outcome}{value}; {used}")
        pid, va = getattr(operation, "pid", 0), getattr(operation, "va", None)
        if va is not None:
            self._page(world, pid, va)

    def _printed(self, world: SimulatedMachine) -> list[str]:
        """What the code has printed since the last operation; it may print anything."""
        text = world.machine.student.printed if world.machine is not None else ""
        new, self._shown = text[self._shown :], len(text)
        return sanitize_lines(new.splitlines())

    def _page(self, world: SimulatedMachine, pid: int, va: int) -> None:
        for other, space in world.spaces.items():
            pte = space.table.pte(va)
            if pte:
                frame = ppn(pte)
                count = int(world.frames.counts[frame - world.frames.first])
                here = ">" if other == pid else " "
                where = f"pid {other}  {va & -4096:#x}  {pte_text(pte)}"
                self._say(f"       {here} {where}  frame {frame:#x}, count {count}")

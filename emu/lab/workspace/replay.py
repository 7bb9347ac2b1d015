"""``emu lab replay``: repeats the operations that led to a failure, and reports every step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from emu.errors import CommandError
from emu.lab.host.student import LabFile
from emu.lab.simulation.differential import SimulationConfig, Trace, run_differential
from emu.lab.simulation.machine import OperationResult, SimulatedMachine
from emu.lab.simulation.operations import Operation, from_json
from emu.lab.text.pte_text import flags_or_invalid
from emu.lab.text.sanitize import sanitize_lines
from emu.lab.workspace.catalogue import solutions
from emu.machine.pte import ppn


class NothingToReplay(CommandError):
    """There is no such failure to replay; the message gives the next step."""


def replay(record: dict[str, Any], files: Sequence[LabFile], emit: Callable[[str], None]) -> bool:
    """Replays a stored failure. Returns True if it still fails.

    Raises :class:`NothingToReplay` for an invalid record.
    """
    try:
        operations = from_json(record["operations"])
        steps = record.get("reference_steps", record.get("stood_in", ()))  # of an earlier version
        reference_steps = frozenset(map(int, steps))
        policy, frames = str(record["policy"]), int(record["frames"])
        config = SimulationConfig(files, solutions(files), policy, frames, reference_steps)
    except (LookupError, TypeError, ValueError):
        raise NothingToReplay("stored failure is invalid; run emu lab check again") from None
    number = record.get("number")
    if not operations:
        raise NothingToReplay(
            f"test {number}: the failure has no operations; run emu lab check {number}"
        )
    failure = run_differential(config, operations, _StepPrinter(emit, reference_steps))
    emit("")
    if failure is None:
        emit(f"test {number}: {record.get('name')} no longer occurs")
        return False
    emit(f"FAIL  {failure.name}   {failure.when}")
    for line in failure.lines:
        emit(f"    {line}")
    return True


class _StepPrinter(Trace):
    """Reports the result of each operation, with the commands that the student's code issued."""

    def __init__(self, emit: Callable[[str], None], reference_steps: Collection[int]) -> None:
        self._emit = emit
        self._reference_steps = reference_steps
        self._number = 0
        self._shown = 0

    def operation(
        self, operation: Operation, result: OperationResult | None, machine: SimulatedMachine
    ) -> None:
        by = "   (done by the reference)" if self._number in self._reference_steps else ""
        self._number += 1
        self._emit(f"{self._number:>3}  {operation}{by}")
        for line in machine.command_log():
            self._emit(f"       {line}")
        for line in self._printed(machine):
            self._emit(f"       printed: {line}")
        if result is not None:
            value = "" if result.value is None else f": {result.value:#04x}"
            used = f"{result.used} frame{'s' * (result.used != 1)} in use"
            self._emit(f"       → {result.outcome}{value}; {used}")
        pid, va = getattr(operation, "pid", 0), getattr(operation, "va", None)
        if va is not None:
            self._page(machine, pid, va)

    def _printed(self, machine: SimulatedMachine) -> list[str]:
        """Lines that the code printed since the last operation, sanitized."""
        text = machine.machine.student.printed if machine.machine is not None else ""
        new, self._shown = text[self._shown :], len(text)
        return sanitize_lines(new.splitlines())

    def _page(self, machine: SimulatedMachine, pid: int, va: int) -> None:
        for other, space in machine.spaces.items():
            pte = space.table.pte(va)
            if pte:
                frame = ppn(pte)
                count = int(machine.frames.counts[frame - machine.frames.first])
                here = ">" if other == pid else " "
                where = f"pid {other}  {va & -4096:#x}  {flags_or_invalid(pte)}"
                self._emit(f"       {here} {where}  frame {frame:#x}, count {count}")

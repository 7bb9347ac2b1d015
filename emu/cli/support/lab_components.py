"""Kernel components from the lab files of ``--lab DIR``, and the failures of their code."""

from __future__ import annotations

from pathlib import Path

from emu.cli.support.message_stream import MessageStream
from emu.errors import CommandError
from emu.lab.components.lab_machine import LabMachine
from emu.lab.components.page_table import LabTable
from emu.lab.host.command_bus import CommandBus
from emu.lab.host.failures import StudentFailed
from emu.lab.host.student_process import Limits
from emu.lab.simulation.messages import invariant_finding
from emu.lab.workspace.folder import work_in
from emu.session import Session
from kernel.check.violation import InvariantBroken
from kernel.components import Components

LAB_STATUS = 125
"""A lab's code failed; env(1) and others use it for a failure of their own."""
_LIMITS = Limits(seconds=10, cpu_seconds=3600)


def lab_components(folder: str, memory: int, messages: MessageStream) -> Components:
    """The kernel's components, some of them from the lab files in ``folder``.

    ``memory`` is the size of physical memory in bytes. Raises :class:`CommandError`.
    """
    files = work_in(Path(folder))
    try:
        machine = LabMachine(files, memory, _LIMITS)
    except StudentFailed as failed:
        raise _lab_error(failed) from None
    machine.student.on_print = messages.write
    return machine.parts()


def to_command_error(error: Exception, session: Session) -> CommandError | None:
    """Describes a failure of the lab's code; None for any other exception."""
    if isinstance(error, InvariantBroken):
        finding = invariant_finding(error, _bus(session))
        return CommandError(f"lab: {finding.name}   {error.when}", LAB_STATUS, finding.lines)
    return _lab_error(error) if isinstance(error, StudentFailed) else None


def _bus(session: Session) -> CommandBus | None:
    table = session.kernel.parts.space.table_type
    return table.student.bus if issubclass(table, LabTable) else None


def _lab_error(failed: StudentFailed) -> CommandError:
    return CommandError(f"lab: {failed.name}: {failed.headline}", LAB_STATUS, failed.details)

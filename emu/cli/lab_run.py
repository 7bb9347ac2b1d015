"""Running a guest on a student's code (``--lab DIR``), and telling of what the code did wrong."""

from __future__ import annotations

import argparse
from pathlib import Path

from emu.api import Session
from emu.cli.guest_run import LAB_STATUS, NotRun
from emu.cli.output import Lines
from emu.lab.outside.bus import Bus
from emu.lab.outside.failures import StudentFailed
from emu.lab.outside.process import Limits
from emu.lab.parts.kernel_parts import LabMachine
from emu.lab.parts.table import LabTable
from emu.lab.play.telling import told as told_finding
from emu.lab.workspace import BadWorkspace, work_in
from kernel.invariants import InvariantBroken
from kernel.parts import Parts

_LIMITS = Limits(seconds=10, cpu_seconds=3600)


def lab_parts(arguments: argparse.Namespace, lines: Lines) -> Parts:
    """The kernel's parts with those of the labs in the folder. Raises :class:`NotRun`."""
    try:
        files = work_in(Path(arguments.lab))
        machine = LabMachine(files, arguments.mem, _LIMITS)
    except BadWorkspace as error:
        lines.message(str(error))
        raise NotRun(2) from None
    except StudentFailed as failed:
        _tell(failed, lines)
        raise NotRun(LAB_STATUS) from None
    machine.student.on_print = lines.plain
    return machine.parts()


def told(error: Exception, session: Session, lines: Lines) -> bool:
    """Whether the error is of the lab's code; then it has been told."""
    if isinstance(error, InvariantBroken):
        finding = told_finding(error, _bus(session))
        lines.message(f"lab: {finding.name}   {error.when}")
        for line in finding.lines:
            lines.plain(f"  {line}")
        return True
    if isinstance(error, StudentFailed):
        _tell(error, lines)
        return True
    return False


def _bus(session: Session) -> Bus | None:
    table = session.kernel.parts.space.table_type
    return table.student.bus if issubclass(table, LabTable) else None


def _tell(failed: StudentFailed, lines: Lines) -> None:
    lines.message(f"lab: {failed.name}: {failed.headline}")
    for line in failed.details:
        lines.plain(f"  {line}")

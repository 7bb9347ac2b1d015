"""Running a guest on a student's code (``--lab DIR``), and telling of what the code did wrong."""

from __future__ import annotations

import argparse
from pathlib import Path

from emu.api import Session
from emu.cli.guest_run import LAB_STATUS, NotRun
from emu.cli.output import Lines
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


def told(error: Exception, lines: Lines) -> bool:
    """Whether the error is of the lab's code; then it has been told."""
    if not isinstance(error, StudentFailed):
        return False
    _tell(error, lines)
    return True


def tell_broken(broken: InvariantBroken, session: Session, lines: Lines) -> None:
    """Tells of an invariant that the lab's code broke."""
    space = session.kernel.parts.space
    table = space.table_type
    bus = table.student.bus if issubclass(table, LabTable) else None
    finding = told_finding(broken, bus)
    lines.message(f"lab: {finding.name}   {broken.when}")
    for line in finding.lines:
        lines.plain(f"  {line}")


def _tell(failed: StudentFailed, lines: Lines) -> None:
    lines.message(f"lab: {failed.name}: {failed.headline}")
    for line in failed.details:
        lines.plain(f"  {line}")

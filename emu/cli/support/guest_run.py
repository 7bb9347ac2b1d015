"""Running a guest for a command: its streams, its observers, and what may go wrong."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from emu.api import Session
from emu.cli.support.guest_options import guest_options
from emu.cli.support.message_stream import Lines
from emu.cli.support.standard_streams import open_streams
from emu.errors import CannotRun
from emu.lab.components.lab_machine import LabMachine
from emu.lab.components.page_table import LabTable
from emu.lab.host.command_bus import CommandBus
from emu.lab.host.failures import StudentFailed
from emu.lab.host.student_process import Limits
from emu.lab.simulation.messages import invariant_finding as told_finding
from emu.lab.workspace.folder import BadWorkspace, work_in
from kernel.check.invariants import InvariantBroken
from kernel.components import Components
from kernel.process.observer import Observer

DEFECT_STATUS = 70
"""EX_SOFTWARE of sysexits.h."""
LAB_STATUS = 125
"""A lab's code failed: as env(1) and others say that it is their own failure."""


class CommandFailed(Exception):
    """The guest did not come to its end; the reason has been told. ``status`` is the command's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


def open_session(arguments: argparse.Namespace, lines: Lines) -> Session:
    """A session of the program, wired to the user's streams. Raises :class:`CommandFailed`."""
    command = [arguments.program, *arguments.rest]
    streams = open_streams()
    options = guest_options(arguments)
    parts = None
    if arguments.lab is not None:
        from emu.cli.support.guest_run import lab_parts

        parts = lab_parts(arguments, lines)
    try:
        return Session(options, command, lines.message, host_streams=streams, parts=parts)
    except CannotRun as error:
        lines.message(str(error))
        raise CommandFailed(error.status) from None


def run_session(session: Session, observers: Sequence[Observer], lines: Lines) -> int:
    """Runs it; the exit status that a shell gives. Raises :class:`CommandFailed`."""
    try:
        return session.run(observers)
    except CannotRun as error:
        lines.message(str(error))
        raise CommandFailed(error.status) from None
    except MemoryError:
        lines.message("not enough host memory for the machine (see ulimit -v)")
        raise CommandFailed(2) from None
    except Exception as error:
        if session.lab:
            from emu.cli.support.guest_run import to_failure

            if to_failure(error, session, lines):
                raise CommandFailed(LAB_STATUS) from None
        broken = isinstance(error, InvariantBroken)
        tell_defect(lines, str(error) if broken else traceback.format_exc())
        raise CommandFailed(DEFECT_STATUS) from None


def open_lines(trace_file: str | None) -> Lines:
    """Opens the message stream. Raises :class:`CommandFailed` when the file cannot be written."""
    try:
        return Lines(trace_file)
    except OSError as error:
        print(f"emu: {trace_file}: {error.strerror}", file=sys.stderr)
        raise CommandFailed(2) from None


def tell_defect(lines: Lines, account: str) -> None:
    """What went wrong in our own code is not the guest's crash; says what to send."""
    lines.plain(account.rstrip())
    lines.message(
        "this is a defect of emu, not of the program; please report it with the lines above, "
        "the command and the program"
    )


_LIMITS = Limits(seconds=10, cpu_seconds=3600)


def lab_parts(arguments: argparse.Namespace, lines: Lines) -> Components:
    """The kernel's parts with those of the labs in the folder. Raises :class:`CommandFailed`."""
    try:
        files = work_in(Path(arguments.lab))
        machine = LabMachine(files, arguments.mem, _LIMITS)
    except BadWorkspace as error:
        lines.message(str(error))
        raise CommandFailed(2) from None
    except StudentFailed as failed:
        _tell(failed, lines)
        raise CommandFailed(LAB_STATUS) from None
    machine.student.on_print = lines.plain
    return machine.parts()


def to_failure(error: Exception, session: Session, lines: Lines) -> bool:
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


def _bus(session: Session) -> CommandBus | None:
    table = session.kernel.parts.space.table_type
    return table.student.bus if issubclass(table, LabTable) else None


def _tell(failed: StudentFailed, lines: Lines) -> None:
    lines.message(f"lab: {failed.name}: {failed.headline}")
    for line in failed.details:
        lines.plain(f"  {line}")

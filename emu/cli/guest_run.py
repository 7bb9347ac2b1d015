"""Running a guest for a command: its streams, its observers, and what may go wrong."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

from emu.api import Session
from emu.cannot_run import CannotRun
from emu.cli.guest_options import guest_options
from emu.cli.output import Lines
from emu.cli.streams import open_streams
from kernel.events import Observer
from kernel.invariants import InvariantBroken

DEFECT_STATUS = 70
"""EX_SOFTWARE of sysexits.h."""
LAB_STATUS = 125
"""A lab's code failed: as env(1) and others say that it is their own failure."""


class NotRun(Exception):
    """The guest did not come to its end; the reason has been told. ``status`` is the command's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


def open_session(arguments: argparse.Namespace, lines: Lines) -> Session:
    """A session of the user's program, wired to the user's streams. Raises :class:`NotRun`."""
    command = [arguments.program, *arguments.rest]
    streams = open_streams()
    options = guest_options(arguments)
    parts = None
    if arguments.lab is not None:
        from emu.cli.lab_run import lab_parts

        parts = lab_parts(arguments, lines)
    try:
        return Session(options, command, lines.message, host_streams=streams, parts=parts)
    except CannotRun as error:
        lines.message(str(error))
        raise NotRun(error.status) from None


def run_session(session: Session, observers: Sequence[Observer], lines: Lines) -> int:
    """Runs it; the exit status that a shell gives. Raises :class:`NotRun`."""
    try:
        return session.run(observers)
    except CannotRun as error:
        lines.message(str(error))
        raise NotRun(error.status) from None
    except MemoryError:
        lines.message("not enough host memory for the machine (see ulimit -v)")
        raise NotRun(2) from None
    except Exception as error:
        if session.lab:
            from emu.cli.lab_run import told

            if told(error, session, lines):
                raise NotRun(LAB_STATUS) from None
        broken = isinstance(error, InvariantBroken)
        tell_defect(lines, str(error) if broken else traceback.format_exc())
        raise NotRun(DEFECT_STATUS) from None


def open_lines(trace_file: str | None) -> Lines:
    """Where the command's lines go. Raises :class:`NotRun` when the file can't be written."""
    try:
        return Lines(trace_file)
    except OSError as error:
        print(f"emu: {trace_file}: {error.strerror}", file=sys.stderr)
        raise NotRun(2) from None


def tell_defect(lines: Lines, account: str) -> None:
    """What went wrong in our own code is not the guest's crash; says what to send."""
    lines.plain(account.rstrip())
    lines.message(
        "this is a defect of emu, not of the program; please report it with the lines above, "
        "the command and the program"
    )

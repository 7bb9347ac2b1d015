"""Runs a guest for a command on the user's streams and converts failures to CommandError."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence

from emu.cli.support.guest_options import guest_options
from emu.cli.support.message_stream import MessageStream
from emu.cli.support.standard_streams import open_streams
from emu.errors import DEFECT_STATUS, CommandError
from emu.host.orphan_notice import OrphanNotice
from emu.session import Session
from kernel.process.observer import Observer

_DEFECT = (
    "this is a defect of emu, not of the program; please report it with the lines above, "
    "the command and the program"
)


def open_session(arguments: argparse.Namespace, messages: MessageStream) -> Session:
    """A session of the program on the user's streams. Raises :class:`CommandError`."""
    command = [arguments.program, *arguments.rest]
    parts = None
    if arguments.lab is not None:
        from emu.cli.support.lab_components import lab_components

        parts = lab_components(arguments.lab, arguments.mem, messages)
    options = guest_options(arguments)
    session = Session(options, command, messages.message, host_streams=open_streams(), parts=parts)
    if sys.stderr is not None and sys.stderr.isatty():
        session.orphan_notice = OrphanNotice(session.kernel, messages.message)
    return session


def run_session(session: Session, observers: Sequence[Observer], messages: MessageStream) -> int:
    """Runs the program; returns a shell's exit status for it. Raises :class:`CommandError`."""
    messages.is_urgent = lambda: session.is_over or session.ended_by
    gc.freeze()  # most of what is there by now lives to the end
    try:
        return session.run(observers)
    except CommandError:
        raise
    except MemoryError:
        raise CommandError("not enough host memory for the machine (see ulimit -v)") from None
    except Exception as error:
        if session.lab:
            from emu.cli.support.lab_components import to_command_error

            failure = to_command_error(error, session)
            if failure is not None:
                raise failure from None
        from kernel.check.violation import InvariantBroken

        broken = isinstance(error, InvariantBroken)
        messages.write(str(error).rstrip() if broken else _traceback())
        raise CommandError(_DEFECT, DEFECT_STATUS) from None


def report_defect(messages: MessageStream) -> None:
    """Prints the current exception with a request to report it."""
    messages.write(_traceback())
    messages.message(_DEFECT)


def _traceback() -> str:
    from traceback import format_exc

    return format_exc().rstrip()

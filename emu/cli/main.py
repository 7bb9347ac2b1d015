"""The ``emu`` command: finds the subcommand and reports its errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from typing import Any

from emu.cli.split_arguments import split
from emu.cli.support.ending_signals import EndedBySignal, raise_on_ending_signals
from emu.cli.support.message_stream import MessageStream
from emu.cli.support.standard_streams import (
    discard_unwritable,
    ignore_lost_messages,
    is_lost_terminal,
    open_streams,
)
from emu.compilation import finder
from emu.errors import NO_CURRENT_DIRECTORY, CommandError
from emu.version import VERSION
from toolchain.errors import ToolchainError

COMMANDS = (
    *("run", "trace", "report", "cow", "compare", "why", "walk"),
    *("root", "build", "syscalls", "lab"),
)
"""Names of the subcommands and of their modules; only the requested one is imported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    # NumPy's linear algebra, which is not used, would start a thread for each processor.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    open_streams()
    ignore_lost_messages()
    given = list(sys.argv[1:] if arguments is None else arguments)
    finder.choose("labs need it" if _may_load_labs(given) else "")
    try:
        with raise_on_ending_signals():
            status = _run(given)
            if sys.stdout is not None:  # the user may have closed it
                sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader of stdout has exited: end silently, also when Python flushes at exit.
        return 128 + 13
    except OSError as error:
        return _report_os_error(error)
    except (ImportError, MemoryError) as error:
        MessageStream().message(f"could not start: {str(error) or 'out of memory'}")
        return 2
    except EndedBySignal as ended:
        return ended.status
    except KeyboardInterrupt:
        return 130
    finally:
        discard_unwritable(sys.stdout)


def _may_load_labs(arguments: list[str]) -> bool:
    """True if labs, which need the sources, may be imported: without a subcommand each of them is;
    and also if only the guest has such an option.
    """
    if not arguments or arguments[0] not in (*COMMANDS, "--version"):
        return True
    return arguments[0] == "lab" or any(each.startswith("--lab") for each in arguments)


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["--version"]:
        print(f"emu {VERSION} ({finder.variant()})")
        return 0
    try:
        options = _parse(arguments)
        status: int = options.function(options)
        return status
    except SystemExit as ended:  # argparse has printed its message, perhaps on stdout
        return ended.code if isinstance(ended.code, int) else 0
    except ToolchainError as error:
        print(error.diagnostics, file=sys.stderr, end="")
        return _report(CommandError(str(error), error.status))
    except CommandError as error:
        return _report(error)


def _report(error: CommandError) -> int:
    messages = MessageStream()
    messages.message(str(error))
    for line in error.details:
        messages.write(f"  {line}")
    return error.status


def _report_os_error(error: OSError) -> int:
    """An error of a file that could not be opened, or of standard output."""
    if error.filename is not None:
        MessageStream().message(f"{os.fsdecode(error.filename)}: {error.strerror}")
        return 2
    if isinstance(error, FileNotFoundError):  # as getcwd(2) raises it
        MessageStream().message(NO_CURRENT_DIRECTORY)
        return 2
    MessageStream().message(f"standard output: {error.strerror}")
    return 128 + 1 if is_lost_terminal(error) else 1  # 129: SIGHUP, which is sent at the same time


@cache
def _help_width() -> int:
    """Columns for help. argparse asks for them at each option, and imports shutil for that."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns <= 0 and sys.__stdout__ is not None:
        with suppress(OSError, ValueError):
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns
    return (columns if columns > 0 else 80) - 2


class _Parser(argparse.ArgumentParser):
    """Argument parser that reports an unknown option with the usage of the subcommand."""

    def __init__(self, **options: Any) -> None:
        options["formatter_class"] = partial(argparse.HelpFormatter, width=_help_width())
        super().__init__(**options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown


def _parse(arguments: list[str]) -> argparse.Namespace:
    """The options of the subcommand; ``rest`` has the arguments of the guest or the compiler."""
    parser = _Parser(
        prog="emu",
        allow_abbrev=False,
        description="Runs RISC-V Linux programs on a machine whose memory management can be "
        "watched.",
    )
    parser.add_argument(
        "--version",
        action="store_true",
        help="show the version, and whether the hot path is compiled",
    )
    subcommands = parser.add_subparsers(
        prog=parser.prog, dest="command", metavar="COMMAND", required=True
    )
    for name in arguments[:1] if arguments[:1] and arguments[0] in COMMANDS else COMMANDS:
        import_module(f"emu.cli.commands.{name}").add_parser(subcommands)
    own: list[str] = arguments
    rest: list[str] = []
    command = subcommands.choices.get(arguments[0]) if arguments else None
    if command is not None:
        guest = command.get_default("guest")
        if guest is not None:
            trailing = command.get_default("trailing")
            own, rest = split(arguments[1:], command, guest, trailing=trailing)
            own = [arguments[0], *own]
        elif "--" in arguments:
            end = arguments.index("--")
            own, rest = arguments[:end], arguments[end + 1 :]
    options = parser.parse_args(own)
    options.rest = rest
    return options

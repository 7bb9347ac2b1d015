"""The ``emu`` command: finds the subcommand, and turns what goes wrong into one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from emu.cli.split_arguments import split
from emu.cli.support.ending_signals import EndedBySignal, raise_on_ending_signals
from emu.cli.support.standard_streams import (
    is_lost_terminal,
    lose_messages_quietly,
    open_streams,
    settle,
)

_MODULES = {
    "run": "run",
    "trace": "trace",
    "report": "report",
    "cow": "cow",
    "compare": "compare",
    "why": "why",
    "walk": "walk",
    "build": "build",
    "syscalls": "syscalls",
    "lab": "lab",
}
"""Where each command is; only the one that is wanted is imported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    # NumPy's linear algebra, which nobody here uses, would start a thread for each processor.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    open_streams()
    lose_messages_quietly()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with raise_on_ending_signals():
            status = _run(words)
            if sys.stdout is not None:  # the user may have closed it
                sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more to say, not even at exit.
        return 128 + 13
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.filename is None:  # as getcwd(2) raises
            print("emu: the current directory does not exist any more", file=sys.stderr)
            return 2
        print(f"emu: standard output: {error.strerror}", file=sys.stderr)
        return 128 + 1 if is_lost_terminal(error) else 1  # as SIGHUP, which comes with it
    except (ImportError, MemoryError) as error:
        print(f"emu: could not start: {error or 'out of memory'}", file=sys.stderr)
        return 2
    except EndedBySignal as ended:
        return ended.status
    except KeyboardInterrupt:
        return 130
    finally:
        settle(sys.stdout)


def _run(words: list[str]) -> int:
    try:
        options = _parse(words)
        status: int = options.function(options)
        return status
    except SystemExit as ended:  # argparse has printed its message, perhaps on stdout
        return ended.code if isinstance(ended.code, int) else 0


class _Parser(argparse.ArgumentParser):
    """Argument parser that reports an unknown option with the usage of the subcommand."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown


def _parse(words: list[str]) -> argparse.Namespace:
    """The options; ``rest`` has the words that are the guest's or the compiler's."""
    parser = _Parser(
        prog="emu",
        allow_abbrev=False,
        description="Runs RISC-V Linux programs on a machine whose memory management can be "
        "watched.",
    )
    subcommands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = words[:1] if words[:1] and words[0] in _MODULES else _MODULES
    for name in wanted:
        import_module(f"emu.cli.commands.{_MODULES[name]}").add_parser(subcommands)
    own: list[str] = words
    rest: list[str] = []
    command = subcommands.choices.get(words[0]) if words else None
    if command is not None:
        guest = command.get_default("guest")
        if guest is not None:
            own, rest = split(words[1:], command, guest, trailing=command.get_default("trailing"))
            own = [words[0], *own]
        elif "--" in words:
            end = words.index("--")
            own, rest = words[:end], words[end + 1 :]
    options = parser.parse_args(own)
    options.rest = rest
    return options

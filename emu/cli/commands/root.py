"""``emu root``: fills a folder with Debian's riscv64 packages, for ``emu run --root``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from emu.cli.support.message_stream import MessageStream
from emu.cli.support.progress import ProgressLine
from emu.errors import CommandError
from toolchain.debian.progress import Progress
from toolchain.errors import RootError


class _Shown(Progress):
    """On a terminal one line that is renewed, else a line for each step."""

    def __init__(self, messages: MessageStream) -> None:
        self._messages = messages
        self._line = ProgressLine(sys.stderr, patience=0.0)

    def step(self, text: str) -> None:
        if self._line.fd is None:
            self._messages.message(text)
        else:
            self._line.show(text)

    def detail(self, text: str) -> None:
        self._line.show(text)

    def clear(self) -> None:
        self._line.clear()


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "root",
        allow_abbrev=False,
        help="fill a folder with Debian packages, for emu run --root",
        description="Fills DIR with Debian's riscv64 packages and all they depend on, Debian's "
        "essential packages included (a shell, coreutils and others). The host's apt downloads "
        "and verifies them, which needs no root rights; no script of a package is run. A folder "
        "filled before gets the packages that it lacks.",
        epilog="This is the only command that downloads. What it fetches is kept in "
        "$XDG_CACHE_HOME/emu/apt (else in ~/.cache); after Ctrl-C the same command continues.",
    )
    parser.usage = "emu root [OPTIONS] DIR PACKAGE..."
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder to fill")
    parser.add_argument("packages", metavar="PACKAGE", nargs="+", help="name of a Debian package")
    parser.add_argument(
        "--suite",
        help="Debian release: trixie (default), forky, sid or a later one; a folder keeps its own",
    )
    parser.add_argument(
        "--mirror",
        metavar="URL",
        help="where the packages are (default: the host's own Debian mirror, else Debian's)",
    )
    parser.add_argument(
        "--keyring",
        metavar="FILE",
        help="keys of which one must have signed the mirror's index (default: Debian's, which the "
        "host has)",
    )
    parser.add_argument(
        "--minimal",
        action="store_true",
        help="leave out the essential packages that nothing depends on by name",
    )
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    from toolchain.debian.filling import Request, fill  # its imports would slow other commands
    from toolchain.debian.record import Record

    folder: Path = arguments.folder
    messages = MessageStream()
    progress = _Shown(messages)
    packages = arguments.packages
    try:
        request = Request(
            folder,
            packages,
            suite=arguments.suite,
            minimal=arguments.minimal,
            mirror=arguments.mirror,
            keyring=arguments.keyring,
        )
        count = fill(request, progress)
        record = Record.read(folder)
    except RootError as error:
        progress.clear()
        raise CommandError(f"{folder}: {error}") from None
    except KeyboardInterrupt:
        progress.clear()
        messages.message(f"{folder}: interrupted (the same command continues)")
        raise
    progress.clear()
    suite = record.suite if record is not None else ""
    if count:
        plural = "" if count == 1 else "s"
        messages.message(f"{folder}: unpacked {count} package{plural} of {suite}")
    else:
        messages.message(f"{folder}: has {', '.join(packages)} of {suite} already")
    return 0

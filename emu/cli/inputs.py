"""What a command runs or reads: no output may take its place."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from emu.cli.guest_run import NotRun
from emu.cli.output import Lines


def keep_input(arguments: argparse.Namespace, outputs: Iterable[str | None]) -> None:
    """Raises :class:`NotRun` when an output is the file that is run or read."""
    for name in outputs:
        if name is not None and any(_same(name, given) for given in _inputs(arguments)):
            Lines().message(f"{name}: would overwrite its input")
            raise NotRun(2)


def _inputs(arguments: argparse.Namespace) -> list[str]:
    """The program, or the trace in its place, wherever it may be found."""
    import shutil

    program: str = arguments.program
    found = [program]
    if arguments.root:
        found.append(os.path.join(arguments.root, program.lstrip("/")))
    for host, guest in (*arguments.ro, *arguments.rw):
        inside = os.path.relpath(program, guest) if program.startswith("/") else ".."
        if not inside.startswith(".."):
            found.append(os.path.normpath(os.path.join(host, inside)))
    if "/" not in program:
        found.append(shutil.which(program) or program)
    return found


def _same(one: str, other: str) -> bool:
    try:
        return os.path.isfile(one) and os.path.samefile(one, other)
    except (OSError, ValueError):
        return False

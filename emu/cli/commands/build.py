"""``emu build``: compiles C or assembly programs for the guest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from emu.cli.support.message_stream import as_command_error
from emu.errors import CommandError
from emu.observe.model.regular_file import open_regular
from toolchain.variant import Variant


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "build",
        allow_abbrev=False,
        help="compile a program with the RISC-V cross toolchain",
        description="Compiles C or assembly sources into one program, using the installed cross "
        "toolchain and fixed flags (-O2 -g -march=rv64gc).",
        epilog="Further flags for the compiler follow --, as in: emu build prog.c -- -O0 -pthread",
    )
    parser.add_argument("sources", metavar="FILE", nargs="+", type=Path)
    parser.add_argument(
        "-o",
        "--output",
        metavar="PROG",
        type=Path,
        help="program to write (default: the first FILE without its suffix)",
    )
    parser.add_argument(
        "--link",
        choices=[str(variant) for variant in Variant],
        default=str(Variant.STATIC),
        help="how to link the program (default static)",
    )
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    from toolchain.build import build  # its imports would slow down every other command

    output = arguments.output or arguments.sources[0].with_suffix("")
    for source in arguments.sources:
        with as_command_error(str(source)), open_regular(source):
            pass
    if output in arguments.sources:
        raise CommandError(f"{output}: output would overwrite the source (choose a name with -o)")
    build(arguments.sources, output, Variant(arguments.link), arguments.rest)
    return 0

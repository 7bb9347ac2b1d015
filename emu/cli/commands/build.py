"""``emu build``: compiles a C or assembly program for the guest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from toolchain.errors import BuildError, ToolchainError
from toolchain.variant import Variant


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "build",
        allow_abbrev=False,
        help="compile a program with the RISC-V cross toolchain",
        description="Compiles C or assembly sources into one program, with the cross toolchain "
        "that is found and fixed flags (-O2 -g -march=rv64gc).",
        epilog="Flags for the compiler go behind --, as in: emu build prog.c -- -O0 -pthread",
    )
    parser.add_argument("sources", metavar="FILE", nargs="+", type=Path)
    parser.add_argument(
        "-o", "--output", metavar="PROG", type=Path, help="default: the first FILE without suffix"
    )
    parser.add_argument(
        "--link",
        choices=[str(variant) for variant in Variant],
        default=str(Variant.STATIC),
        help="default static",
    )
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    from toolchain.build import build  # what it imports would slow down every other command

    output = arguments.output or arguments.sources[0].with_suffix("")
    try:
        missing = next((path for path in arguments.sources if not path.is_file()), None)
        if missing is not None:
            raise ToolchainError(f"{missing}: no such file")
        if output in arguments.sources:
            raise ToolchainError(f"{output}: would overwrite its source; choose a name with -o")
        build(arguments.sources, output, Variant(arguments.link), arguments.rest)
    except BuildError as error:
        print(error.diagnostics, file=sys.stderr, end="")
        print(f"emu: {error}", file=sys.stderr)
        return 1
    except (ToolchainError, OSError) as error:
        print(f"emu: {error}", file=sys.stderr)
        return 2
    return 0

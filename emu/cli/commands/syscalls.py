"""``emu syscalls``: lists the supported system calls from the kernel's table."""

from __future__ import annotations

import argparse
from typing import Any

from kernel.syscalls.table import ROWS


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "syscalls",
        allow_abbrev=False,
        help="list the supported system calls",
        description="Lists the supported system calls: number, name and notes.",
    )
    parser.set_defaults(function=show)


def show(_arguments: argparse.Namespace) -> int:
    for row in sorted(ROWS, key=lambda row: row.name):
        print(f"{row.number:>4}  {row.name:<24} {row.note}".rstrip())
    return 0

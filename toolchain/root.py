"""`python -m toolchain.root DIR PACKAGE…`: fills DIR with riscv64 packages, as `emu root` does.

It needs the standard library only: `make roots` runs it before the project is installed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from toolchain.debian.filling import DEFAULT_SUITE, Request, fill
from toolchain.debian.progress import Progress
from toolchain.debian.record import Record
from toolchain.errors import RootError, ToolchainError


def remove_other(request: Request) -> None:
    """Removes a folder that was filled in another way, or by another request."""
    wanted = (request.suite or DEFAULT_SUITE, request.minimal, list(request.packages))
    try:
        record = Record.read(request.folder)
    except RootError:
        shutil.rmtree(request.folder)
        return
    if record is not None and (record.suite, record.minimal, record.packages) != wanted:
        shutil.rmtree(request.folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; on failure prints one line and returns 1."""
    parser = argparse.ArgumentParser(prog="python -m toolchain.root", description=__doc__)
    parser.add_argument("folder", metavar="DIR", type=Path, help="directory to create")
    parser.add_argument("packages", metavar="PACKAGE", nargs="+", help="a Debian package")
    parser.add_argument("--suite", help="Debian release")
    parser.add_argument("--minimal", action="store_true", help="without the essential packages")
    parser.add_argument(
        "--replace", action="store_true", help="replace a directory with anything else in it"
    )
    options = parser.parse_args(arguments)
    request = Request(options.folder, options.packages, options.suite, options.minimal)
    try:
        if options.replace:
            remove_other(request)
        fill(request, Progress())
    except (ToolchainError, OSError) as error:
        print(f"{options.folder}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

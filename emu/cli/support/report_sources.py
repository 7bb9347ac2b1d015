"""Sources of a report: the option --source, and the host files that a report may show."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emu.observe.report.host_files import HostFiles


def add_source_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="DIR",
        help="a report also shows source text and code of files below DIR; without it only of "
        "files below the program's directory (not for a trace), the current one and --root",
    )


def host_files(arguments: argparse.Namespace, program: str | None) -> HostFiles:
    """The host files from which the report of a run may take source text and code.

    ``program`` is the user's argument. A trace's own program name is not trusted.
    """
    from emu.observe.report.host_files import HostFiles
    from toolchain.sysroot import sysroot

    folders = [*arguments.source, *([os.path.dirname(program) or "."] if program else []), "."]
    return HostFiles(folders, arguments.root or sysroot())  # where a guest finds its libraries

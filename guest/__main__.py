"""`python -m guest` lists the guests; `python -m guest DIR` builds all of them in DIR."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from guest.manifest import GUESTS
from toolchain.build import build
from toolchain.errors import ToolchainError


def main(arguments: Sequence[str]) -> int:
    """Runs the command; on failure prints the compiler's output or one line and returns 1."""
    folder = Path(arguments[0]) if arguments else None
    try:
        for guest in GUESTS:
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
                build([guest.source], folder / guest.name, flags=guest.flags)
            else:
                print(f"{guest.name:16} {guest.question}")
    except (ToolchainError, OSError) as error:
        print(f"{getattr(error, 'diagnostics', '')}{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

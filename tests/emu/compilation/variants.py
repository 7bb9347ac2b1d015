"""Runs of the emu command in pure Python and compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(pure: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Runs ``emu`` in a new process, with ``EMU_PURE=pure``."""
    command = [sys.executable, "-m", "emu", *map(str, arguments)]
    environment = os.environ | {"EMU_PURE": pure}
    return subprocess.run(command, capture_output=True, env=environment, check=False, timeout=300)


needs_compiled = pytest.mark.usefixtures("compiled")

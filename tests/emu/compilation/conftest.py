"""A requirement of tests: the compiled hot path."""

from __future__ import annotations

import pytest

from tests.emu.compilation.variants import run
from tests.guest.running import missing


@pytest.fixture(scope="session")
def compiled() -> None:
    """Skips a test where the hot path is not compiled."""
    if b"(compiled)" not in run("0", "--version").stdout:
        missing("the compiled hot path (make setup)")

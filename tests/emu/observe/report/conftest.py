"""A browser for the tests of a report as displayed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emu.observe.report.browser import Browser, find
from tests.guest.running import missing


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find()
    if program is None:
        missing("Chromium (python -m toolchain.system browser)")
    with Browser(program) as running:
        yield running

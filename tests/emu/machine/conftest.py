"""Fixtures of the machine's tests."""

from __future__ import annotations

import pytest

from emu.machine.cause import Access
from tests.emu.machine.board import Board
from tests.emu.machine.tables import EVERY_ACCESS, Tables


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture(params=EVERY_ACCESS, ids=lambda access: access.name.lower())
def access(request: pytest.FixtureRequest) -> Access:
    found: Access = request.param
    return found

"""Fixtures of the machine's tests."""

from __future__ import annotations

import pytest

from tests.machine.board import Board


@pytest.fixture
def board() -> Board:
    return Board()

"""The world that most tests of the kernel's memory begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernel.mm.address_space import AddressSpace
from tests.kernel.worlds import World


@pytest.fixture
def world() -> Iterator[World]:
    """Checked when the test is over, and then nothing may be left of it."""
    world = World()
    yield world
    world.check()
    world.end()


@pytest.fixture
def space(world: World) -> AddressSpace:
    return world.space()

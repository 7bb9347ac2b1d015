"""The fixture of most tests of the kernel's memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernel.mm.address_space import AddressSpace
from tests.kernel.worlds import World


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose invariants hold after the test, and in which no frame leaks."""
    world = World()
    yield world
    world.check()
    world.end()


@pytest.fixture
def space(world: World) -> AddressSpace:
    return world.space()

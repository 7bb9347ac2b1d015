"""Worlds with huge pages, and spaces with aligned mappings."""

from __future__ import annotations

from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, PAGE_SIZE
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.huge_policy import HugePages, Thp
from kernel.mm.mappings.vma import Prot
from tests.kernel.worlds import BASE, RW, World, anonymous

P = PAGE_SIZE
ALWAYS = HugePages(supported=True, mode=Thp.ALWAYS)


def huge_world(runs: int = 6, huge_pages: HugePages = ALWAYS) -> World:
    """A world with memory for ``runs`` huge pages, and some frames more."""
    world = World((runs + 1) * HUGE_FRAMES)
    world.huge_pages = huge_pages
    return world


def mapped(world: World, pieces: int = 2, prot: Prot = RW) -> AddressSpace:
    """A space with an aligned mapping of ``pieces`` times 2 MiB at BASE."""
    space = world.space()
    anonymous(space, pieces * HUGE_FRAMES, prot)
    return space


def is_huge(space: AddressSpace, *pieces: int) -> bool:
    return all(space.table.is_huge(BASE + piece * HUGE_SIZE) for piece in pieces)

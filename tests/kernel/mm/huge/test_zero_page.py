"""Is the huge page of zeroes forgotten where it is no longer mapped, and does it cost little?"""

from __future__ import annotations

import pytest

from emu.machine.cause import Access
from emu.machine.pte import HUGE_SIZE
from kernel.mm.mappings.vma import Prot
from kernel.mm.outcome import Outcome
from kernel.mm.physical.frames import Kind
from kernel.mm.physical.huge_zero_page import drop_huge_zero
from tests.kernel.mm.huge.huge_world import P, huge_world, is_huge, mapped
from tests.kernel.worlds import BASE, Caller


@pytest.mark.parametrize("how", ["a part is advised", "a part is locked", "no run is free"])
def test_the_tlb_forgets_the_huge_page_of_zeroes_that_is_split(how: str) -> None:
    world = huge_world(runs=2)
    space = mapped(world, 1)
    world.load(space, BASE + 9 * P)
    zeroes = world.frames.huge_zero
    assert zeroes is not None
    held = [world.frames.allocate_run(Kind.PRIVATE)]
    match how:
        case "a part is advised":
            Caller(world, space).madvise(BASE, P, 15)
        case "a part is locked":
            Caller(world, space).mlock(BASE, P)
        case _:
            assert world.access(space, BASE, Access.STORE) is Outcome.ZERO_FILLED
    assert not is_huge(space, 0)
    assert drop_huge_zero(world.frames)
    held.append(world.frames.allocate_run(Kind.PRIVATE))
    assert held[1] == zeroes, "other memory is where the zeroes were"
    world.ram.write((zeroes + 9) * P, b"secret")
    assert world.load(space, BASE + 9 * P, 6) == bytes(6)
    for run in held:
        world.frames.release_run(run)
    world.check()
    world.end()


def test_a_page_of_zeroes_is_searched_for_by_its_address() -> None:
    """Their number is not limited by memory; a range of one asks for no other."""
    world = huge_world(runs=2)
    space = mapped(world, 64)
    for piece in range(64):
        world.load(space, BASE + piece * HUGE_SIZE)
    assert space.table.huge_pages(BASE + HUGE_SIZE, BASE + 2 * HUGE_SIZE) == [
        (BASE + HUGE_SIZE, space.table.pte(BASE + HUGE_SIZE))
    ]
    assert len(space.table.huge_pages(0, 1 << 38)) == 64
    assert space.table.small_pages(0, 1 << 38) == []
    space.protect(BASE, BASE + 64 * HUGE_SIZE, Prot.READ)
    assert is_huge(space, *range(64))
    assert space.resident_pages() == 0
    world.check()
    world.end()

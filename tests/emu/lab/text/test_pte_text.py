"""Does the text of a page say what maps it, and who else uses its frame?"""

from __future__ import annotations

from emu.lab.text.pte_text import flags_or_invalid, page_text
from emu.machine.pte import make_pte, ppn
from tests.kernel.worlds import BASE, World, anonymous


def test_does_a_page_show_its_flags_frame_and_count() -> None:
    world = World()
    space = world.space()
    anonymous(space, 2)
    assert page_text(space, BASE + 5) == f"{BASE:#x}  invalid"
    world.store(space, BASE, b"x")
    frame = ppn(space.table.pte(BASE))
    assert page_text(space, BASE + 5) == f"{BASE:#x}  RW-U-AD  → frame {frame:#x}, count 1"
    world.fork(space)
    assert page_text(space, BASE) == f"{BASE:#x}  R--U-AD CoW  → frame {frame:#x}, count 2"


def test_is_a_frame_outside_of_memory_not_looked_up() -> None:
    world = World()
    space = world.space()
    space.table.set_pte(BASE, make_pte(1, 0xD7))
    assert page_text(space, BASE) == f"{BASE:#x}  RW-U-AD"
    space.table.set_pte(BASE, 0)


def test_is_an_entry_without_v_invalid() -> None:
    assert flags_or_invalid(0xD6) == flags_or_invalid(0) == "invalid"

"""Is each kind of damage to the kernel's memory noticed, and by the invariant that names it?"""

from collections.abc import Callable

import pytest

from emu.machine.pte import PAGE_SIZE, R, U, V, W, X, make_pte, ppn
from kernel.check import invariants
from kernel.check.invariants import INVARIANTS
from kernel.check.memory_snapshot import MemorySnapshot
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import Prot
from kernel.mm.page_tables.page_table import COW
from kernel.mm.physical.frames import Kind
from tests.kernel.worlds import BASE, World, anonymous, mapped_file

P = PAGE_SIZE


class Scene:
    """A parent and a child that share a page; an own page; a file; a read-only page."""

    def __init__(self) -> None:
        self.world = World()
        self.parent = self.world.space()
        anonymous(self.parent, 2)
        anonymous(self.parent, 1, Prot.READ, BASE + 2 * P)
        mapped_file(
            self.world, self.parent, self.world.file(b"file"), 1, at=BASE + 8 * P, shared=True
        )
        self.world.store(self.parent, BASE, b"shared")
        self.world.load(self.parent, BASE + 2 * P)
        self.world.load(self.parent, BASE + 8 * P)
        self.child = self.world.fork(self.parent)
        self.world.store(self.child, BASE + P, b"own")

    def change(self, space: AddressSpace, page: int, clear: int, set_: int) -> None:
        va = BASE + page * P
        space.table.set_pte(va, space.table.pte(va) & ~clear | set_)

    def look(self, earlier: MemorySnapshot | None = None) -> MemorySnapshot:
        return MemorySnapshot(
            self.world.frames, self.world.spaces, self.world.cache, pinned=[], earlier=earlier
        )

    def names(self, earlier: MemorySnapshot | None = None) -> set[str]:
        return {violation.name for violation in invariants.violations(self.look(earlier))}


def count_too_high(s: Scene) -> None:
    s.world.frames.share(ppn(s.parent.table.pte(BASE)))


def count_too_low(s: Scene) -> None:
    s.world.frames.release(ppn(s.parent.table.pte(BASE)))


def shared_and_writable(s: Scene) -> None:
    s.change(s.child, 0, COW, W)


def cow_and_writable(s: Scene) -> None:
    s.change(s.child, 1, 0, COW)


def free_frame_mapped(s: Scene) -> None:
    frame = s.world.frames.allocate(Kind.PRIVATE)
    s.parent.table.set_pte(BASE + P, make_pte(frame, V | R | U | COW))
    s.world.frames.release(frame)


def zero_frame_made_writable(s: Scene) -> None:
    s.parent.table.set_pte(BASE + P, make_pte(s.world.frames.zero, V | R | W | U))
    s.world.frames.share(s.world.frames.zero)


def a_page_of_another_file(s: Scene) -> None:
    other = mapped_file(s.world, s.parent, s.world.file(b"other"), 1, at=BASE + 20 * P)
    frame = other.frame(0)
    s.parent.table.set_pte(BASE + 8 * P, make_pte(frame, V | R | U))
    s.world.frames.share(frame)


def table_mapped_as_memory(s: Scene) -> None:
    s.parent.table.set_pte(BASE + P, make_pte(s.child.table.root, V | R | U | COW))
    s.world.frames.share(s.child.table.root)


def zero_frame_written(s: Scene) -> None:
    s.world.ram.write(s.world.frames.zero << 12, b"x")


def read_only_made_writable(s: Scene) -> None:
    s.change(s.parent, 2, 0, W)


def data_made_executable(s: Scene) -> None:
    s.change(s.child, 1, 0, X)


def page_without_mapping(s: Scene) -> None:
    frame = s.world.frames.allocate(Kind.PRIVATE)
    s.parent.table.set_pte(BASE + 5 * P, make_pte(frame, V | R | U))


def writable_page_that_would_fault_for_ever(s: Scene) -> None:
    s.change(s.child, 1, W, 0)


def overlapping_mappings(s: Scene) -> None:
    s.parent.vmas[0].end += P


def a_gap_forgotten(s: Scene) -> None:
    s.parent._free.set(BASE + 3 * P, 0)


def table_used_by_two(s: Scene) -> None:
    words, root = s.world.ram, s.parent.table.root << 12
    other = s.child.table.root << 12
    words.store64(other, words.load64(root + 8 * (BASE >> 30)))


def frame_twice_on_the_free_list(s: Scene) -> None:
    frame = s.world.frames.allocate(Kind.PRIVATE)
    s.world.frames.release(frame)
    s.world.frames._free.append(frame - s.world.frames.first)


def a_user_too_many(s: Scene) -> None:
    s.parent.vmas[-1].backing.users += 1


def huge_page_without_a_mapping(s: Scene) -> None:
    s.parent.table.link_huge(2 * BASE, make_pte(s.world.frames.first, V | R | U))


def huge_page_that_the_kernel_forgot(s: Scene) -> None:
    huge_page_without_a_mapping(s)
    s.parent.table.huge.clear()


def file_stored_to_unknown(s: Scene) -> None:
    s.change(s.parent, 8, 0, W | 1 << 7)


def page_that_its_cache_forgot(s: Scene) -> None:
    s.parent.vmas[-1].backing._pages.clear()


DAMAGE: dict[Callable[[Scene], None], str] = {
    count_too_high: "count-is-the-number-of-holders",
    count_too_low: "count-is-the-number-of-holders",
    shared_and_writable: "shared-is-not-writable",
    cow_and_writable: "cow-is-readable-and-not-writable",
    free_frame_mapped: "mapped-frames-are-in-use",
    table_mapped_as_memory: "mapped-frames-are-in-use",
    zero_frame_made_writable: "frame-is-used-for-its-kind",
    a_page_of_another_file: "cached-pages-are-their-backings",
    page_that_its_cache_forgot: "cached-pages-are-their-backings",
    zero_frame_written: "zero-frame-is-zero",
    read_only_made_writable: "rights-are-the-mappings",
    data_made_executable: "rights-are-the-mappings",
    page_without_mapping: "pages-and-mappings-agree",
    writable_page_that_would_fault_for_ever: "pages-and-mappings-agree",
    huge_page_without_a_mapping: "huge-pages-are-whole",
    huge_page_that_the_kernel_forgot: "huge-pages-are-whole",
    overlapping_mappings: "mappings-are-in-order",
    a_gap_forgotten: "sizes-and-gaps-are-those-of-the-mappings",
    table_used_by_two: "tables-are-their-spaces-own",
    frame_twice_on_the_free_list: "free-list-is-what-is-not-used",
    a_user_too_many: "backings-know-their-users",
    file_stored_to_unknown: "stores-to-files-are-known",
}


def test_nothing_is_wrong_with_a_healthy_memory() -> None:
    assert Scene().names() == set()


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damage_is_noticed(damage: Callable[[Scene], None]) -> None:
    scene = Scene()
    damage(scene)
    assert DAMAGE[damage] in scene.names()


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_look_after_an_earlier_one_notices_as_much(damage: Callable[[Scene], None]) -> None:
    scene = Scene()
    healthy = scene.look(scene.look())
    damage(scene)
    assert scene.names(healthy) == scene.names()


def test_every_invariant_has_damage_that_it_notices() -> None:
    assert set(INVARIANTS) == set(DAMAGE.values())

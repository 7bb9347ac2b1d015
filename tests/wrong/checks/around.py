"""Fault-around: which pages a read fault maps, and what fork leaves to faults."""

from __future__ import annotations

from emu.machine.cause import Access
from kernel.mm.address_space import AddressSpace
from kernel.mm.faults import fault
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.vma import Prot
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from kernel.mm.page_tables.page_table import COW
from tests.kernel.worlds import BASE, RW, RX, anonymous, mapped_file
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.scene import P, Scene, scene

CHECKS = Checks("around")
SIZE = 16 * P


def content(pages: int) -> bytes:
    return b"".join(b"file %2d" % page + bytes(P - 7) for page in range(pages))


def pages_of(space: AddressSpace) -> list[int]:
    """Numbers of the pages present, from BASE on."""
    return [(va - BASE) // P for va, _ in space.table.present()]


def mapped(s: Scene, start: int, pages: int, *, shared: bool = False, prot: Prot = RW) -> None:
    """A file mapped from page ``start`` after BASE."""
    s.parent.fault_around = SIZE
    mapped_file(s, s.parent, s.file(content(pages)), pages, prot, BASE + start * P, shared=shared)


@CHECKS
def a_read_maps_the_aligned_window() -> None:
    for shared in (False, True):
        with scene(0, 256) as s:
            mapped(s, 0, 64, shared=shared)
            s.load(s.parent, BASE + 21 * P)
            same(pages_of(s.parent), [*range(16, 32)], "pages present")
            s.holds(s.parent, BASE + 16 * P, b"file 16", "it")
            s.holds(s.parent, BASE + 31 * P, b"file 31", "it")
            s.store(s.parent, BASE + 17 * P, b"stored!")
            s.holds(s.parent, BASE + 18 * P, b"file 18", "it")


@CHECKS
def the_window_ends_with_the_mapping_the_table_and_the_file() -> None:
    with scene(0, 256) as s:
        mapped(s, 3, 6)
        s.load(s.parent, BASE + 5 * P)
        same(pages_of(s.parent), [*range(3, 9)], "pages of a short mapping")
    with scene(0, 256) as s:
        last = LEAF_SPAN // P
        mapped(s, last - 3, 8)
        s.load(s.parent, BASE + (last - 1) * P)
        same(pages_of(s.parent), [last - 3, last - 2, last - 1], "pages of one leaf table")
    with scene(0, 256) as s:
        s.parent.fault_around = SIZE
        mapped_file(s, s.parent, s.file(content(2) + b"rest"), 8)
        s.load(s.parent, BASE + P)
        same(pages_of(s.parent), [0, 1, 2], "pages of a file that is shorter than its mapping")


@CHECKS
def a_store_maps_its_page_alone() -> None:
    for shared in (False, True):
        with scene(0, 256) as s:
            mapped(s, 0, 16, shared=shared)
            s.store(s.parent, BASE + 4 * P, b"mine")
            same(pages_of(s.parent), [4], "pages present after a store")
            s.load(s.parent, BASE + 5 * P)
            s.holds(s.parent, BASE + 4 * P, b"mine", "its own copy")
            same(len(pages_of(s.parent)), 16, "pages present after a load beside it")


@CHECKS
def what_is_mapped_around_is_what_a_fault_would_map() -> None:
    for prot in (RW, Prot.READ, RX):
        with scene(0, 256) as s:
            mapped(s, 0, 4, prot=prot)
            resolution = fault.handle(s.parent, BASE, Access.LOAD)
            vas = [va for va, _ in resolution.around or ()]
            same(vas, [BASE + n * P for n in (1, 2, 3)], "pages mapped around")
            flags = {pte & 0x3FF for _, pte in s.parent.table.present()}
            same(len(flags), 1, "kinds of PTEs")
            same(bool(flags.pop() & COW), prot == RW, "marked CoW")


@CHECKS
def a_child_gets_the_private_pages_of_each_part() -> None:
    for policy in POLICIES:
        with scene(4) as s:
            s.parent.protect(BASE + P, BASE + 2 * P, Prot.READ)
            child = s.fork(s.parent, policy)
            s.parent.protect(BASE + P, BASE + 2 * P, RW)
            grandchild = s.fork(child, policy)
            for page in range(4):
                for who in (child, grandchild):
                    same(who.table.pte(BASE + page * P) & 1, 1, f"page {page} is there by {policy}")
                s.holds(grandchild, BASE + page * P, b"page %d" % page, "a grandchild")


@CHECKS
def a_child_gets_what_was_stored_to_in_either_of_two_merged_mappings() -> None:
    for stored in (0, 1):
        with scene(0) as s:
            anonymous(s.parent, 1)
            anonymous(s.parent, 1, Prot.READ | Prot.WRITE | Prot.EXEC, at=BASE + P)
            at = BASE + stored * P
            s.store(s.parent, at, b"mine")
            s.parent.protect(BASE + P, BASE + 2 * P, RW)
            same(len(s.parent.vmas), 1, "mappings")
            s.holds(s.fork(s.parent), at, b"mine", "the child")


@CHECKS
def a_child_gets_a_files_pages_that_were_stored_to() -> None:
    with scene(0, 256) as s:
        mapped(s, 0, 4)
        s.load(s.parent, BASE)
        bare = s.fork(s.parent)
        same(pages_of(bare), [], "pages that a child gets of a file that was only read")
        s.store(s.parent, BASE + P, b"stored!")
        child = s.fork(s.parent)
        s.holds(child, BASE + P, b"stored!", "the child")
        s.holds(bare, BASE + P, b"file  1", "the other child")

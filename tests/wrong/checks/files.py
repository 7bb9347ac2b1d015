"""Mapped files: which bytes a page holds, and which stores the file gets."""

from __future__ import annotations

import errno

from emu.machine.cause import Access
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.outcome import Outcome
from tests.kernel.worlds import BASE, RW, RX, mapped_file
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.scene import FILE, P, refused, scene

CHECKS = Checks("files")
PAGES = b"".join(b"file %d" % page + bytes(P - 6) for page in range(4))


@CHECKS
def each_page_holds_its_part_of_the_file() -> None:
    with scene(0) as s:
        mapped_file(s, s.parent, s.file(PAGES), 3, offset=P)
        s.holds(s.parent, BASE + P, b"file 2", "it")
        s.parent.unmap(BASE + P, BASE + 2 * P)
        s.check()
        s.holds(s.parent, BASE, b"file 1", "it")
        s.holds(s.parent, BASE + 2 * P, b"file 3", "it")


@CHECKS
def pages_mapped_side_by_side_stay_what_they_are() -> None:
    with scene(0) as s:
        node = s.file(PAGES)
        mapped_file(s, s.parent, node, 1, offset=2 * P)
        mapped_file(s, s.parent, node, 1, at=BASE + P)
        s.check()
        s.holds(s.parent, BASE, b"file 2", "it")
        s.holds(s.parent, BASE + P, b"file 0", "it")


@CHECKS
def a_private_store_stays_private() -> None:
    with scene(0) as s:
        node = s.file(PAGES)
        for at in (BASE, FILE):
            mapped_file(s, s.parent, node, 2, at=at)
        s.load(s.parent, BASE)
        for page in range(2):
            s.store(s.parent, BASE + page * P, b"mine")
            s.holds(s.parent, FILE + page * P, b"file", "another mapping")
        same(node.read_file(0, 6), b"file 0", "the file")
        child = s.fork(s.parent)
        s.store(child, FILE, b"child's")
        s.holds(s.parent, FILE, b"file 0", "the parent")


@CHECKS
def code_written_over_is_fetched_anew() -> None:
    with scene(0) as s:
        mapped_file(s, s.parent, s.file(PAGES), 1, RW | RX)
        same(s.fetch(s.parent, BASE), b"fi", "it fetches")
        s.store(s.parent, BASE, b"xy")
        same(s.fetch(s.parent, BASE), b"xy", "it fetches")


@CHECKS
def a_shared_store_comes_to_the_file_and_not_beyond_its_end() -> None:
    with scene(0) as s:
        node = s.file(b"short")
        mapped_file(s, s.parent, node, 1, shared=True)
        s.load(s.parent, BASE)
        s.store(s.parent, BASE + 3, b"RT and more")
        same(node.read_file(0, 9), b"shoRT", "read(2)")
        s.parent.unmap(BASE, BASE + P)
        s.check()
        same(node.read_at(0, 99), b"shoRT", "the file")


@CHECKS
def a_process_that_ends_leaves_its_stores_in_the_file() -> None:
    with scene(0) as s:
        node = s.file(PAGES)
        child = s.fork(s.parent)
        mapped_file(s, child, node, 1, shared=True)
        s.store(child, BASE, b"FILE")
        s.exit(child)
        same(node.read_at(0, 6), b"FILE 0", "the file")


@CHECKS
def the_last_page_ends_in_zeroes_and_beyond_it_is_a_bus_error() -> None:
    with scene(3) as s:  # so that frames that are not zero are free
        s.exit(s.parent)
        space = s.space()
        mapped_file(s, space, s.file(b"short"), 2)
        s.holds(space, BASE, b"short" + bytes(P - 5), "it")
        same(str(s.access(space, BASE + P, Access.LOAD)), "bus_adrerr", "beyond the end")


@CHECKS
def a_file_that_is_cut_takes_its_pages_along() -> None:
    with scene(0) as s:
        node = s.file(PAGES)
        mapped_file(s, s.parent, node, 4)
        s.store(s.parent, BASE + 3 * P, b"mine")
        s.load(s.parent, BASE + P)
        node.truncate_file(P + 3)
        s.check()
        s.refuses(s.parent, BASE + 3 * P, None, Outcome.BUS_ADRERR)
        node.truncate_file(2 * P)
        s.holds(s.parent, BASE + P, b"fil" + bytes(3), "it")


@CHECKS
def the_cache_keeps_what_is_mapped() -> None:
    with scene(0) as s:
        mapped_file(s, s.parent, s.file(PAGES), 1)
        s.load(s.parent, BASE)
        s.cache.reclaim()
        s.check()
        s.holds(s.parent, BASE, b"file 0", "it")


@CHECKS
def a_file_opened_read_only_stays_unwritten() -> None:
    with scene(0) as s:
        backing = s.cache.pages_of(s.file(PAGES))
        s.parent.add(Vma(BASE, BASE + P, Prot.READ, shared=True, backing=backing, may_write=False))
        with refused(errno.EACCES):
            s.parent.protect(BASE, BASE + P, RW)


@CHECKS
def shared_memory_ends_with_its_last_user() -> None:
    with scene(0) as s:
        memory = SharedMemory(s.frames, 2)
        s.parent.add(Vma(BASE, BASE + 2 * P, RW, shared=True, backing=memory))
        s.store(s.parent, BASE, b"x")
        child = s.fork(s.parent)
        s.parent.unmap(BASE, BASE + P)
        s.check()
        s.exit(s.parent)
        s.holds(child, BASE, b"x", "the child")

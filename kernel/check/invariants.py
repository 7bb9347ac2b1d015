"""Invariants of the kernel's memory, which hold whenever it returns to a program.

Each invariant has a name and yields a message for each violation. They read the page tables in RAM
from the roots down, and trust the kernel's own data only where that is what they check.
``emu run --check`` runs them after every trap; tables whose bytes are unchanged since the last
check are skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps

from emu.machine.pte import (
    HUGE_FRAMES,
    PAGE_SHIFT,
    PAGE_SIZE,
    VA_HALF,
    D,
    R,
    U,
    W,
    X,
    flags_text,
    ppn,
)
from kernel.base.lazy_numpy import np
from kernel.check.memory_snapshot import MemorySnapshot
from kernel.check.page_columns import true_rows
from kernel.check.violation import Broken, Page, Violation
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.file_pages import FilePages
from kernel.mm.mappings.huge_policy import may_contain_huge
from kernel.mm.page_tables.page_table import COW
from kernel.mm.physical.frames import Frames, Kind

_RIGHTS = R | W | X | U
_ZEROES = bytes(PAGE_SIZE)
_FREE, _TABLE, _PRIVATE = int(Kind.FREE), int(Kind.TABLE), int(Kind.PRIVATE)
_CACHE, _HUGETLB = int(Kind.CACHE), int(Kind.HUGETLB)

Check = Callable[[MemorySnapshot], Iterator[Broken]]
INVARIANTS: dict[str, Check] = {}


def _invariant(check: Check) -> Check:
    INVARIANTS[check.__name__.replace("_", "-")] = check
    return check


def _invariant_of_pages(check: Check) -> Check:
    """An invariant of each page by itself: there is nothing to do where all were checked before."""

    @_invariant
    @wraps(check)
    def of_unchecked(memory: MemorySnapshot) -> Iterator[Broken]:
        return check(memory) if memory.changed else iter(())

    return of_unchecked


def violations(memory: MemorySnapshot) -> list[Violation]:
    """Returns all violations. After a table outside RAM the others are meaningless."""
    return [
        Violation(name, broken) for name, check in INVARIANTS.items() for broken in check(memory)
    ]


def leaks(frames: Frames) -> list[Violation]:
    """Returns a violation for each frame in use after all processes and caches are released."""
    left = (frames.first + np.flatnonzero(frames.counts)).tolist()
    return [
        Violation(
            "nothing-is-left",
            Broken(
                f"frame {frame:#x} ({frames.kind(frame).name}, count {frames.count(frame)}) was "
                "never given back",
                frame=frame,
            ),
        )
        for frame in left
        if frame != frames.zero
    ]


def _page(memory: MemorySnapshot, page: tuple[AddressSpace, int, int], what: str = "") -> Broken:
    """The description of a violation concerning one page: its space, address and PTE."""
    return Broken(f"{memory.page(*page)}{what}", Page(*page), ppn(page[2]))


@_invariant
def count_is_the_number_of_holders(memory: MemorySnapshot) -> Iterator[Broken]:
    frames = memory.frames
    ptes, pins = memory.pte_counts, memory.pin_counts
    counts = frames.counts[: len(ptes)]
    for index in true_rows(counts != ptes + pins):
        frame = frames.first + index
        yield Broken(
            f"frame {frame:#x} ({frames.kind(frame).name}) has count {counts[index]}, but "
            f"{ptes[index]} PTEs and {pins[index]} pins of the kernel hold it: "
            f"{memory.sharers(frame)}",
            frame=frame,
        )


@_invariant_of_pages
def shared_is_not_writable(memory: MemorySnapshot) -> Iterator[Broken]:
    """A private frame with two users is not writable anywhere."""
    pages = memory.unchecked
    users = np.maximum(memory.frames.counts[pages.index], memory.user_counts[pages.index])
    in_pool = (pages.kinds == _HUGETLB) & ~pages.shared  # which has a reference of each
    shared = pages.inside & (((pages.kinds == _PRIVATE) & (users > 1)) | (in_pool & (users > 2)))
    for page in pages.where(shared & pages.writable):
        frame = ppn(page[2])
        sharers = f"{memory.users(frame)} users: {memory.sharers(frame)}"
        yield _page(memory, page, f" may be stored to, but the frame has {sharers}")


@_invariant_of_pages
def cow_is_readable_and_not_writable(memory: MemorySnapshot) -> Iterator[Broken]:
    pages = memory.unchecked
    for page in pages.where(pages.flag(COW) & (pages.writable | ~pages.flag(R))):
        yield _page(memory, page)


@_invariant_of_pages
def mapped_frames_are_in_use(memory: MemorySnapshot) -> Iterator[Broken]:
    """No PTE maps a free frame, a page table, or an address outside RAM."""
    pages = memory.unchecked
    for page in pages.where(~pages.inside):
        yield _page(memory, page, " lies outside the machine's memory")
    unused = (pages.kinds == _FREE) | (pages.kinds == _TABLE)
    for page in pages.where(pages.inside & unused):
        yield _page(memory, page, f" is a {memory.frames.kind(ppn(page[2])).name} frame")


@_invariant
def frame_is_used_for_its_kind(memory: MemorySnapshot) -> Iterator[Broken]:
    frames = memory.frames
    for number in true_rows(frames.kinds[memory.table_rows] != _TABLE):
        space, table = memory.table(number)
        used_as = frames.kind(table).name
        yield Broken(f"{memory.space_name(space)}: page table {table:#x} is {used_as}")
    if not memory.changed:
        return
    pages = memory.unchecked
    pool = pages.kinds == _HUGETLB
    for page in pages.where(pages.shared & (pages.kinds != _CACHE) & ~pool):
        yield _page(memory, page, " is shared memory in a private frame")
    for page in pages.where(~pages.shared & pages.writable & (pages.kinds != _PRIVATE) & ~pool):
        kind = frames.kind(ppn(page[2])).name
        yield _page(memory, page, f" lets a store change a {kind} frame")


@_invariant_of_pages
def cached_pages_are_their_backings(memory: MemorySnapshot) -> Iterator[Broken]:
    """A mapped page of a file or of shared memory is a page of the mapping's backing."""
    pages = memory.unchecked
    cached = pages.inside & pages.mapped & (pages.kinds == _CACHE)
    number = (pages.vas + pages.shift) >> PAGE_SHIFT
    other = (memory.holder[pages.index] != pages.backing) | (
        memory.page_held[pages.index] != number
    )
    for page in pages.where(cached & other):
        yield _page(memory, page, " is not the page that its mapping shows")


@_invariant
def zero_frame_is_zero(memory: MemorySnapshot) -> Iterator[Broken]:
    frames = memory.frames
    if frames.ram.read_frame(frames.zero) != _ZEROES:
        yield Broken(f"the zero frame {frames.zero:#x} was written")
    if frames.huge_zero is not None:
        row = frames.huge_zero - frames.first
        written = np.any(frames.tables[row : row + HUGE_FRAMES], axis=1)
        for index in true_rows(written):
            yield Broken(f"frame {frames.huge_zero + index:#x} of the huge zero page was written")


@_invariant_of_pages
def rights_are_the_mappings(memory: MemorySnapshot) -> Iterator[Broken]:
    """A PTE grants no permission that the VMA denies: a read-only mapping is never writable."""
    pages = memory.unchecked
    for page in pages.where((pages.ptes & _RIGHTS & ~pages.allowed) != 0):
        vma = page[0].find(page[1])
        allows = flags_text(vma.pte_flags) if vma is not None else "nothing"
        yield _page(memory, page, f", but its mapping allows {allows}")
    lacking = pages.allowed & np.uint64(R | X | U) & ~pages.ptes
    for page in pages.where((lacking != 0) & pages.mapped):
        yield _page(memory, page, " lacks a right of its mapping")


@_invariant_of_pages
def pages_and_mappings_agree(memory: MemorySnapshot) -> Iterator[Broken]:
    """Every page lies in a VMA; in private writable ones it is writable or CoW, else not CoW."""
    pages = memory.unchecked
    for page in pages.where(~pages.mapped):
        yield _page(memory, page, " is mapped but belongs to no mapping")
    for page in pages.where(pages.flag(COW) & ~pages.breakable):
        yield _page(memory, page, " is CoW in a shared or read-only mapping")
    for page in pages.where(pages.breakable & ~pages.flag(W | COW) & pages.mapped):
        yield _page(memory, page, " is private and writable: W or CoW is due")


@_invariant
def huge_pages_are_whole(memory: MemorySnapshot) -> Iterator[Broken]:
    """A huge page lies in one private anonymous VMA, is in the kernel's index, and has an empty
    leaf table for a split.
    """
    for space, walk in memory.walks.items():
        name, table = memory.space_name(space), space.table
        if walk.huge != dict(table.huge_pages(0, VA_HALF)):
            yield Broken(f"{name}: the index of huge pages is not what a walk finds")
        for va, pte in walk.huge.items():
            vma = space.find(va)
            if ppn(pte) % HUGE_FRAMES:
                yield _page(memory, (space, va, pte), " is a huge page that is not aligned")
            if vma is None or not may_contain_huge(vma, va):
                yield _page(memory, (space, va, pte), " is a huge page beyond its mapping")
        yield from _deposits(memory, space)


def _deposits(memory: MemorySnapshot, space: AddressSpace) -> Iterator[Broken]:
    deposits = space.table.deposits()
    huge = [ppn(pte) for _, pte in space.table.huge_pages(0, VA_HALF)]
    divisible = [frame for frame in huge if memory.frames.kind(frame) is not Kind.HUGETLB]
    if space.huge_pages.supported and len(deposits) != len(divisible):
        number = f"{len(deposits)} tables are kept for {len(divisible)} huge pages"
        yield Broken(f"{memory.space_name(space)}: {number}")
    for table in deposits:
        if memory.frames.kind(table) is not Kind.TABLE:
            yield Broken(f"{memory.space_name(space)}: kept table {table:#x} is not a page table")


@_invariant
def mappings_are_in_order(memory: MemorySnapshot) -> Iterator[Broken]:
    for space in memory.remapped:
        name, end = memory.space_name(space), 0
        for vma in space.vmas:
            span = f"[{vma.start:#x}, {vma.end:#x})"
            if vma.start & 0xFFF or vma.end & 0xFFF or vma.start >= vma.end:
                yield Broken(f"{name}: {span} is not a range of whole pages")
            if vma.start < end:
                yield Broken(f"{name}: {span} begins before the mapping below it ends")
            if vma.writable and not vma.may_write:
                yield Broken(f"{name}: {span} is writable, but its file was opened read-only")
            end = vma.end


@_invariant
def sizes_and_gaps_are_those_of_the_mappings(memory: MemorySnapshot) -> Iterator[Broken]:
    for space, walk in memory.walks.items():
        expected, name = walk.vma_rows, memory.space_name(space)
        counted = {
            "mapped": space.mapped_bytes,
            "data": space.data_bytes,
            "locked": space.locked_bytes,
        }
        for what, size in counted.items():
            if size != expected.sizes[what]:
                yield Broken(f"{name}: {size} bytes are counted as {what}")
        if space.free_ranges() != expected.gaps:
            yield Broken(f"{name}: the index of gaps is not what lies between its mappings")


@_invariant
def tables_are_their_spaces_own(memory: MemorySnapshot) -> Iterator[Broken]:
    """The kernel's index of tables equals the result of a walk, and no table is linked twice.

    Processes may share a leaf or middle table that all of them have at one address; a middle one is
    known as shared to each.
    """
    for table, times in Counter(memory.tables).items():
        if times == 1:
            continue
        places = memory.places(table)
        together = len({va for _, va in places}) == 1
        together &= all(space.table.may_be_shared(table, va) for space, va in places)
        if len({space for space, _ in places}) != times or not together:
            yield Broken(f"page table {table:#x} is linked {times} times")
    for space, walk in memory.walks.items():
        known = space.table.frames()
        if known != set(walk.tables):
            wrong = ", ".join(f"{table:#x}" for table in sorted(known ^ set(walk.tables)))
            yield Broken(f"{memory.space_name(space)}: tables not found or not known: {wrong}")
        elif space.table.leaf_tables() != walk.leaves:
            yield Broken(
                f"{memory.space_name(space)}: a leaf table is elsewhere than in the kernel's index"
            )


@_invariant
def free_list_is_what_is_not_used(memory: MemorySnapshot) -> Iterator[Broken]:
    frames = memory.frames
    times = np.bincount(frames.free_frames() - frames.first, minlength=frames.touched)
    for index in true_rows(times > 1):
        yield Broken(f"frame {frames.first + index:#x} is {times[index]} times on the free list")
    used = (frames.counts[: len(times)] != 0) | (frames.kinds[: len(times)] != _FREE)
    for index in true_rows(used & (times != 0)):
        frame = frames.first + index
        yield Broken(f"frame {frame:#x} is on the free list with count {frames.count(frame)}")
    in_use = int(np.count_nonzero(frames.counts[: frames.touched]))
    listed = int(np.count_nonzero(times))
    if frames.used != in_use or listed + in_use != frames.touched:
        yield Broken(
            f"of {frames.touched} frames ever used {in_use} have a count and {listed} are free; "
            f"{frames.used} are counted as in use"
        )


@_invariant
def backings_know_their_users(memory: MemorySnapshot) -> Iterator[Broken]:
    users = Counter(id(each) for walk in memory.walks.values() for each in walk.vma_rows.backings)
    users.update(id(backing) for backing in memory.pinned)
    for backing in memory.backings:
        if backing.users != users[id(backing)]:
            name, found = type(backing).__name__, users[id(backing)]
            yield Broken(f"{name} counts {backing.users} mappings, but {found} map it")


@_invariant_of_pages
def stores_to_files_are_known(memory: MemorySnapshot) -> Iterator[Broken]:
    """A page of a shared file mapping is writable only after a call of its backing's stored_to."""
    pages = memory.unchecked
    for page in pages.where(pages.in_file & pages.writable):
        space, va, pte = page
        vma = space.find(va)
        if vma is None or not isinstance(vma.backing, FilePages):
            continue
        if not pte & D or not vma.backing.was_stored_to(vma.index_of(va)):
            yield _page(memory, page, ": its file would not be informed of a store")

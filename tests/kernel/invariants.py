"""What must be true of the kernel's memory after every step, each as a named check.

An invariant is a generator that yields one message for each place where it does not hold. They
look at the page tables in RAM themselves and share no bookkeeping with the kernel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from emu.machine.pte import (
    PAGE_SHIFT,
    D,
    R,
    U,
    V,
    W,
    X,
    flags_text,
    is_leaf,
    ppn,
)
from kernel.backing import FilePages, PageCache, SharedMemory
from kernel.frames import Frames, Kind
from kernel.pagetable import COW
from kernel.space import AddressSpace
from kernel.vma import Prot, Vma


@dataclass
class Memory:
    """Everything that holds frames: the spaces of all processes, the page cache, and pins."""

    frames: Frames
    spaces: list[AddressSpace]
    cache: PageCache | None = None
    extra_backings: list[SharedMemory] = field(default_factory=list)
    """Shared memory that is alive without a VMA, such as the kernel's sigreturn page."""

    # What the checks below look at, found anew for each look.

    def __post_init__(self) -> None:
        self.tables: dict[int, AddressSpace] = {}
        """Every frame that a walk from some root finds as a table → whose it is."""
        self.mapped: list[tuple[AddressSpace, int, int]] = []
        """(space, va, PTE) of every valid leaf."""
        self.doubly_linked: list[int] = []
        for space in self.spaces:
            self._walk(space, space.table.root, 2, 0)

    def _walk(self, space: AddressSpace, table: int, level: int, base: int) -> None:
        if table in self.tables:
            self.doubly_linked.append(table)
            return
        self.tables[table] = space
        words = np.frombuffer(self.frames.ram.read_frame(table), dtype=np.uint64)
        for index in np.flatnonzero(words & V).tolist():
            entry = int(words[index])
            va = base + (index << PAGE_SHIFT + 9 * level)
            if level and not is_leaf(entry):
                self._walk(space, ppn(entry), level - 1, va)
            else:
                self.mapped.append((space, va, entry))

    def backings(self) -> list[FilePages | SharedMemory]:
        found = {id(backing): backing for backing in self.extra_backings}
        for space in self.spaces:
            for vma in space.vmas:
                if vma.backing is not None:
                    found[id(vma.backing)] = vma.backing
        for pages in self.cache._files if self.cache is not None else ():
            found[id(pages)] = pages
        return list(found.values())

    def pins(self) -> Counter[int]:
        """How often the kernel itself holds each frame."""
        pins = Counter({self.frames.zero: 1})
        pins.update(self.tables.keys())
        for backing in self.backings():
            pins.update(backing._pages.values())
        return pins


Check = Callable[[Memory], Iterator[str]]
INVARIANTS: dict[str, Check] = {}


def invariant(check: Check) -> Check:
    INVARIANTS[check.__name__] = check
    return check


def broken(memory: Memory) -> list[str]:
    """A line for each violation, "name: what is wrong"; empty when all is well."""
    return [f"{name}: {line}" for name, check in INVARIANTS.items() for line in check(memory)]


def check(
    frames: Frames,
    spaces: Iterable[AddressSpace],
    cache: PageCache | None = None,
    extra: Iterable[SharedMemory] = (),
) -> None:
    unique = list({id(space): space for space in spaces if space.alive}.values())
    lines = broken(Memory(frames, unique, cache, list(extra)))
    assert not lines, "\n".join(["the kernel's memory is not consistent:", *lines[:20]])


def nothing_is_left(frames: Frames) -> None:
    """For the end, when every process has gone and the caches are empty."""
    left = [frames.first + i for i in np.flatnonzero(frames.counts).tolist()]
    left.remove(frames.zero)
    assert not left, "frames that nobody gave back: " + ", ".join(
        f"{frame:#x} ({frames.kind(frame).name}, count {frames.count(frame)})" for frame in left
    )
    assert frames.used == 1, (
        f"{frames.used} frames are said to be in use; it is the zero frame only"
    )


@invariant
def each_count_is_the_number_of_holders(memory: Memory) -> Iterator[str]:
    frames = memory.frames
    holders = memory.pins()
    ptes = Counter(ppn(pte) for _, _, pte in memory.mapped)
    holders.update(ptes)
    counted = {frames.first + i for i in np.flatnonzero(frames.counts).tolist()}
    for frame in sorted(counted | set(holders)):
        count = frames.count(frame)
        if count != holders[frame]:
            yield (
                f"frame {frame:#x} ({frames.kind(frame).name}) has count {count}, but "
                f"{ptes[frame]} PTEs and {holders[frame] - ptes[frame]} kernel pins hold it"
            )


@invariant
def a_private_frame_with_two_users_is_writable_nowhere(memory: Memory) -> Iterator[str]:
    for space, va, pte in memory.mapped:
        frame = ppn(pte)
        if pte & W and memory.frames.kind(frame) is Kind.PRIVATE and memory.frames.count(frame) > 1:
            yield (
                f"{_where(space, va)} may store to frame {frame:#x}, "
                f"which has {memory.frames.count(frame)} users"
            )


@invariant
def cow_means_readable_and_not_writable(memory: Memory) -> Iterator[str]:
    for space, va, pte in memory.mapped:
        if pte & COW and (pte & W or not pte & R):
            yield f"{_where(space, va)} is marked CoW with {flags_text(pte)}"


@invariant
def no_free_frame_is_in_use(memory: Memory) -> Iterator[str]:
    frames = memory.frames
    free = Counter(frames.first + index for index in frames._free)
    for frame, times in free.items():
        if times > 1:
            yield f"frame {frame:#x} is {times} times on the free list"
        if frames.count(frame) or frames.kind(frame) is not Kind.FREE:
            yield f"frame {frame:#x} is free, yet {frames.kind(frame).name} with a count"
    for space, va, pte in memory.mapped:
        if ppn(pte) in free:
            yield f"{_where(space, va)} maps the free frame {ppn(pte):#x}"
    for frame in memory.tables:
        if frame in free:
            yield f"the page table in frame {frame:#x} is on the free list"
    in_use = int(np.count_nonzero(frames.counts))
    if frames.used != in_use:
        yield f"{frames.used} frames are said to be in use, but {in_use} have a count"
    if len(free) + in_use != frames._untouched:
        yield f"{frames._untouched} frames were handed out: {in_use} in use, {len(free)} free"


@invariant
def a_frame_is_used_for_what_it_was_taken_for(memory: Memory) -> Iterator[str]:
    frames = memory.frames
    for frame in memory.tables:
        if frames.kind(frame) is not Kind.TABLE:
            yield f"the page table in frame {frame:#x} is {frames.kind(frame).name}"
    for space, va, pte in memory.mapped:
        kind, vma = frames.kind(ppn(pte)), space.find(va)
        if kind in (Kind.TABLE, Kind.FREE):
            yield f"{_where(space, va)} maps frame {ppn(pte):#x}, which is {kind.name}"
        elif vma is not None and vma.shared and kind is not Kind.CACHE:
            yield f"{_where(space, va)} is shared memory in a {kind.name} frame"
        elif vma is not None and not vma.shared and pte & W and kind is not Kind.PRIVATE:
            yield f"{_where(space, va)} may store to a {kind.name} frame"
    if any(frames.ram.read_frame(frames.zero)):
        yield "the zero frame is not zero any more"


@invariant
def no_table_is_linked_twice(memory: Memory) -> Iterator[str]:
    for frame in memory.doubly_linked:
        yield f"the page table in frame {frame:#x} is found on two ways"
    for space in memory.spaces:
        told = {space.table.root, *space.table._upper, *space.table.leaf_tables().values()}
        found = {frame for frame, owner in memory.tables.items() if owner is space}
        if told != found:
            yield f"space {_name(space)}: its index and its tables differ by {told ^ found}"


@invariant
def the_page_table_gives_no_right_that_the_vma_denies(memory: Memory) -> Iterator[str]:
    for space, va, pte in memory.mapped:
        vma = space.find(va)
        if vma is None:
            continue
        excess = pte & (R | W | X | U) & ~vma.pte_flags
        if excess:
            yield (
                f"{_where(space, va)} has {flags_text(pte)}, its VMA allows "
                f"{flags_text(vma.pte_flags | V)}"
            )
        missing = vma.pte_flags & (R | X | U) & ~pte
        if missing:
            yield f"{_where(space, va)} lacks rights of its VMA: {flags_text(pte)}"


@invariant
def page_table_and_vmas_agree(memory: Memory) -> Iterator[str]:
    for space, va, pte in memory.mapped:
        vma = space.find(va)
        if vma is None:
            yield f"{_where(space, va)} is mapped ({flags_text(pte)}) but belongs to no VMA"
        elif vma.shared or not vma.prot & Prot.WRITE:
            if pte & COW:
                yield f"{_where(space, va)} is CoW, but its VMA is shared or read-only"
        elif not pte & (W | COW):
            yield f"{_where(space, va)} belongs to a writable private VMA but is neither W nor CoW"


@invariant
def vmas_are_in_order_and_apart(memory: Memory) -> Iterator[str]:
    for space in memory.spaces:
        end = 0
        for vma in space.vmas:
            if vma.start & 0xFFF or vma.end & 0xFFF or vma.start >= vma.end:
                yield f"{_name(space)}: {_range(vma)} is no range of whole pages"
            if vma.start < end:
                yield f"{_name(space)}: {_range(vma)} begins before the one below it ends"
            if vma.prot & Prot.WRITE and not vma.may_write:
                yield f"{_name(space)}: {_range(vma)} is writable but its file was opened read-only"
            end = vma.end
        if space._starts != [vma.start for vma in space.vmas]:
            yield f"{_name(space)}: the index of starts does not match the VMAs"


@invariant
def a_backing_knows_its_users(memory: Memory) -> Iterator[str]:
    users = Counter(
        id(vma.backing) for space in memory.spaces for vma in space.vmas if vma.backing is not None
    )
    for backing in memory.backings():
        pinned = backing in memory.extra_backings
        if backing.users != users[id(backing)] + pinned:
            yield (
                f"{type(backing).__name__} counts {backing.users} VMAs, but "
                f"{users[id(backing)]} map it"
            )


@invariant
def a_page_that_can_be_stored_to_is_written_back(memory: Memory) -> Iterator[str]:
    for space, va, pte in memory.mapped:
        vma = space.find(va)
        if vma is None or not vma.shared or not isinstance(vma.backing, FilePages):
            continue
        if pte & W and vma.index_of(va) not in vma.backing._stored:
            yield f"{_where(space, va)} may be stored to and its file would not hear of it"
        if pte & W and not pte & D:
            yield f"{_where(space, va)} is shared and writable before its first store"


def _name(space: AddressSpace) -> str:
    return f"space {space.table.root:#x}"


def _where(space: AddressSpace, va: int) -> str:
    return f"{_name(space)} at {va:#x}"


def _range(vma: Vma) -> str:
    return f"[{vma.start:#x}, {vma.end:#x})"

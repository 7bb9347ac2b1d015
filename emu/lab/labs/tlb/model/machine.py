"""The machine of the lab ``tlb``: two harts, a few processes, and TLBs without eviction.

A hart may cache any PTE that was valid in the tables of a process that ran on it, used or not,
until a fence flushes it (privileged spec, "Supervisor Memory-Management Fence Instruction"). The
model caches all of them, so it includes every state of a real TLB. It omits the pointers in root
tables, which do not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from emu.lab.kit.values import Fence
from emu.lab.labs.tlb.model.fence_rules import reach
from emu.machine.pte import PAGE_SHIFT, G, is_leaf, make_pte, ppn

HARTS = 2
_FIRST_FRAME = 0x80230
_FIRST_SUPERPAGE = 0x80400


class Key(NamedTuple):
    """Position of a PTE: the level of its table, and the first address that it maps."""

    level: int
    address: int


class Entry(NamedTuple):
    """TLB entry: a PTE, its position, and the ASID of its address space."""

    asid: int
    key: Key
    pte: int

    def covers(self, address: int) -> bool:
        return self.key.address <= address < self.key.address + reach(self.key.level)


class FrameUse(NamedTuple):
    """Use of a frame: the process's number, or None for the kernel, and the PTE that maps it."""

    space: int | None
    key: Key
    pte: int

    @property
    def is_table(self) -> bool:
        return not is_leaf(self.pte)


@dataclass(slots=True)
class Space:
    """A process's address space; its number in the model is the pid."""

    number: int
    asid: int
    ptes: dict[Key, int] = field(default_factory=dict)
    """The valid PTEs."""
    ran_on: set[int] = field(default_factory=set)
    """Harts that may have cached PTEs of it."""


@dataclass(slots=True)
class Machine:
    """State that events change."""

    asids: int
    """Number of ASIDs besides 0; with 0, every address space has ASID 0."""
    spaces: dict[int, Space] = field(default_factory=dict)
    shared: dict[Key, int] = field(default_factory=dict)
    """The kernel's own global PTEs, in every address space."""
    running: list[int | None] = field(default_factory=lambda: [None] * HARTS)
    tlbs: list[frozenset[Entry]] = field(default_factory=lambda: [frozenset()] * HARTS)
    last: dict[tuple[int, int], int] = field(default_factory=dict)
    """Address space that a hart last ran with an ASID, by (hart, ASID)."""
    started: int = 0

    def copy(self) -> Machine:
        spaces = {
            number: Space(number, space.asid, dict(space.ptes), set(space.ran_on))
            for number, space in self.spaces.items()
        }
        return Machine(
            self.asids,
            spaces,
            dict(self.shared),
            list(self.running),
            list(self.tlbs),
            dict(self.last),
            self.started,
        )

    def state(self) -> object:
        """Hashable value that is equal for equal states."""
        return (
            tuple(
                (space.number, frozenset(space.ptes.items()), frozenset(space.ran_on))
                for space in self.spaces.values()
            ),
            frozenset(self.shared.items()),
            tuple(self.running),
            tuple(self.tlbs),
            frozenset(self.last.items()),
        )

    # Processes.

    def new_space(self) -> Space | None:
        """Adds an address space with the lowest free ASID; None if no ASID is free."""
        used = {space.asid for space in self.spaces.values()}
        free = [asid for asid in range(1, self.asids + 1) if asid not in used]
        if self.asids and not free:
            return None
        self.started += 1
        space = Space(self.started, free[0] if free else 0)
        self.spaces[space.number] = space
        return space

    def hart_of(self, number: int) -> int | None:
        """The first hart on which a process runs."""
        return self.running.index(number) if number in self.running else None

    # Page tables and frames.

    def users(self, frame: int) -> list[FrameUse]:
        return [user for user in self._users() if _uses(user, frame)]

    def _users(self) -> Iterator[FrameUse]:
        for space in self.spaces.values():
            for key, pte in space.ptes.items():
                yield FrameUse(space.number, key, pte)
        for key, pte in self.shared.items():
            yield FrameUse(None, key, pte)

    def free_frame(self) -> int:
        """Free frame with the lowest number, so that released frames are reused soon."""
        used = {ppn(user.pte) for user in self._users()}
        return next(frame for frame in range(_FIRST_FRAME, _FIRST_SUPERPAGE) if frame not in used)

    def free_superpage(self) -> int:
        frame = _FIRST_SUPERPAGE
        while any(frame <= ppn(user.pte) < frame + 512 for user in self._users()):
            frame += 512
        return frame

    # TLBs.

    def fill(self) -> None:
        """Adds all PTEs of the running address spaces to the TLBs of their harts."""
        for hart, number in enumerate(self.running):
            new = [Entry(0, key, pte) for key, pte in self.shared.items()]
            if number is not None:
                space = self.spaces[number]
                new += [Entry(space.asid, key, pte) for key, pte in space.ptes.items()]
            self.tlbs[hart] = self.tlbs[hart].union(new)

    def fence(self, fences: Iterable[Fence]) -> None:
        for fence in fences:
            remaining = (entry for entry in self.tlbs[fence.hart] if not _flushes(fence, entry))
            self.tlbs[fence.hart] = frozenset(remaining)


def _uses(user: FrameUse, frame: int) -> bool:
    if user.is_table:
        return ppn(user.pte) == frame
    return 0 <= frame - ppn(user.pte) < reach(user.key.level) >> PAGE_SHIFT


def _flushes(fence: Fence, entry: Entry) -> bool:
    if fence.asid is not None and (entry.pte & G or entry.asid != fence.asid):
        return False
    return fence.address is None or (is_leaf(entry.pte) and entry.covers(fence.address))


def page_at(ptes: dict[Key, int], address: int) -> int | None:
    """Leaf PTE for a page of 4 KiB, also within a superpage; None if it is not mapped."""
    for level in (1, 0):
        start = address & -reach(level)
        pte = ptes.get(Key(level, start))
        if pte is None or (level and not is_leaf(pte)):
            continue
        return part_of(pte, address - start)
    return None


def part_of(pte: int, offset: int) -> int:
    """PTE of the page at ``offset`` in a superpage (or of the page itself, with offset 0)."""
    return make_pte(ppn(pte) + (offset >> PAGE_SHIFT), pte & 0x3FF)

"""The machine of the lab ``tlb``: two harts, a few processes, and TLBs that never forget.

A hart may remember any PTE that was valid in the tables of a process that ran on it, whether the
process used it or not, until a fence makes it forget (privileged spec, "Supervisor
Memory-Management Fence Instruction"). The model remembers all of them: what a real TLB does is
among what this one may do. Left out are the root and the middle tables' pointers, which stay.
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
    """Where a PTE is: the level of its table, and the first address that it maps."""

    level: int
    address: int


class Entry(NamedTuple):
    """A PTE that a hart remembers, and the ASID with which it came."""

    asid: int
    key: Key
    pte: int

    def covers(self, address: int) -> bool:
        return self.key.address <= address < self.key.address + reach(self.key.level)


class User(NamedTuple):
    """Who uses a frame: a process's number, or None for the kernel; the PTE that leads to it."""

    space: int | None
    key: Key
    pte: int

    @property
    def is_table(self) -> bool:
        return not is_leaf(self.pte)


@dataclass(slots=True)
class Space:
    """A process's address space; the model gives both one number, which is the pid."""

    number: int
    asid: int
    ptes: dict[Key, int] = field(default_factory=dict)
    """Those that are valid."""
    ran_on: set[int] = field(default_factory=set)
    """The harts that may remember something of it."""


@dataclass(slots=True)
class Machine:
    """All that a sequence of events can change."""

    asids: int
    """How many there are beside 0; with none, every address space has ASID 0."""
    spaces: dict[int, Space] = field(default_factory=dict)
    shared: dict[Key, int] = field(default_factory=dict)
    """The kernel's own global PTEs, in every address space."""
    running: list[int | None] = field(default_factory=lambda: [None] * HARTS)
    tlbs: list[frozenset[Entry]] = field(default_factory=lambda: [frozenset()] * HARTS)
    last: dict[tuple[int, int], int] = field(default_factory=dict)
    """Which space a hart last ran with an ASID."""
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
        """A value that is equal for machines that are alike."""
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
        """A process's, with the lowest ASID that no living one has; None when there is none."""
        taken = {space.asid for space in self.spaces.values()}
        free = [asid for asid in range(1, self.asids + 1) if asid not in taken]
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

    def users(self, frame: int) -> list[User]:
        return [user for user in self._users() if _uses(user, frame)]

    def _users(self) -> Iterator[User]:
        for space in self.spaces.values():
            for key, pte in space.ptes.items():
                yield User(space.number, key, pte)
        for key, pte in self.shared.items():
            yield User(None, key, pte)

    def free_frame(self) -> int:
        """The free one with the lowest number, so a frame that is given back is soon used again."""
        taken = {ppn(user.pte) for user in self._users()}
        return next(frame for frame in range(_FIRST_FRAME, _FIRST_SUPERPAGE) if frame not in taken)

    def free_superpage(self) -> int:
        frame = _FIRST_SUPERPAGE
        while any(frame <= ppn(user.pte) < frame + 512 for user in self._users()):
            frame += 512
        return frame

    # What the harts remember.

    def fill(self) -> None:
        """Each hart loads all that the tables of what it runs have."""
        for hart, number in enumerate(self.running):
            new = [Entry(0, key, pte) for key, pte in self.shared.items()]
            if number is not None:
                space = self.spaces[number]
                new += [Entry(space.asid, key, pte) for key, pte in space.ptes.items()]
            self.tlbs[hart] = self.tlbs[hart].union(new)

    def fence(self, fences: Iterable[Fence]) -> None:
        for fence in fences:
            kept = (entry for entry in self.tlbs[fence.hart] if not _drops(fence, entry))
            self.tlbs[fence.hart] = frozenset(kept)


def _uses(user: User, frame: int) -> bool:
    if user.is_table:
        return ppn(user.pte) == frame
    return 0 <= frame - ppn(user.pte) < reach(user.key.level) >> PAGE_SHIFT


def _drops(fence: Fence, entry: Entry) -> bool:
    if fence.asid is not None and (entry.pte & G or entry.asid != fence.asid):
        return False
    return fence.address is None or (is_leaf(entry.pte) and entry.covers(fence.address))


def page_at(ptes: dict[Key, int], address: int) -> int | None:
    """The leaf PTE for a page of 4 KiB, made of a superpage's where there is one."""
    for level in (1, 0):
        start = address & -reach(level)
        pte = ptes.get(Key(level, start))
        if pte is None or (level and not is_leaf(pte)):
            continue
        return part_of(pte, address - start)
    return None


def part_of(pte: int, offset: int) -> int:
    """The PTE of a page within a superpage (or of the page itself, with offset 0)."""
    return make_pte(ppn(pte) + (offset >> PAGE_SHIFT), pte & 0x3FF)

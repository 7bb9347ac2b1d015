"""The generator's model of a program's memory and processes."""

from __future__ import annotations

from dataclasses import dataclass, field

PAGE = 4096
PAGES = 6
ARENAS = 5
GLOBAL, HEAP, STACK = range(ARENAS, ARENAS + 3)
ANONYMOUS, SHARED, FILE_PRIVATE, FILE_SHARED = range(4)
NONE, READ, RW = 0, 1, 3


@dataclass(frozen=True)
class Page:
    """A page of an arena. ``mapping`` is the number of the call that mapped it: only pages of
    one call are certainly one mapping on Linux, too."""

    kind: int
    prot: int
    mapping: int
    moved: bool = False


@dataclass
class Child:
    name: str
    turns: int
    """Number of remaining turns."""
    mortal: bool
    """True when it has no children, and may be killed."""


@dataclass
class Process:
    name: str
    arenas: list[list[Page | None]]
    """None for an unmapped page."""
    global_prot: list[int]
    children: list[Child] = field(default_factory=list)
    forks: int = 0

    def forked(self, name: str) -> Process:
        return Process(name, [list(pages) for pages in self.arenas], list(self.global_prot))

    def private(self, slot: int) -> bool:
        """True when no other process can read or change the slot's memory."""
        return slot >= ARENAS or all(p is None or p.kind == ANONYMOUS for p in self.arenas[slot])

    def prot(self, slot: int, page: int) -> int | None:
        if slot == GLOBAL:
            return self.global_prot[page]
        if slot > GLOBAL:
            return RW
        found = self.arenas[slot][page]
        return None if found is None else found.prot

    def of_kind(self, slot: int, kind: int) -> bool:
        return slot < ARENAS and any(p is not None and p.kind == kind for p in self.arenas[slot])


def first_process() -> Process:
    """The arenas are mapped, without rights; everything else is writable."""
    arenas: list[list[Page | None]] = [[Page(ANONYMOUS, NONE, 0)] * PAGES for _ in range(ARENAS)]
    return Process("0", arenas, [RW] * PAGES)

"""Pages that are watched: what became of their PTEs, and of how many hold their frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from emu.machine.pte import V, ppn
from kernel.space import AddressSpace


class Change(NamedTuple):
    """Of ``page`` in a process. ``holders`` are 0 for the zero page, which any number may hold."""

    pid: int
    page: int
    pte: int
    frame: int
    holders: int


class WatchedPages:
    """Remembers how the pages of ``pages``, which may grow, were when it was last asked."""

    def __init__(self, pages: set[int]) -> None:
        self._pages = pages
        self._known: dict[tuple[AddressSpace, int], tuple[int, int]] = {}

    def changes(self, spaces: Mapping[AddressSpace, int]) -> Iterator[Change]:
        """What is not as it was, in the spaces of these pids."""
        for page in self._pages:
            for space, pid in spaces.items():
                pte = space.table.pte(page)
                frame = ppn(pte) if pte & V else 0
                counts = frame and frame != space.frames.zero
                state = pte, space.frames.count(frame) if counts else 0
                if self._known.get((space, page), (0, 0)) != state:
                    self._known[space, page] = state
                    yield Change(pid, page, pte, frame, state[1])

    def discarding(self, space: AddressSpace) -> None:
        for page in self._pages:
            self._known.pop((space, page), None)

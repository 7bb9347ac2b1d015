"""Pages that a trace follows wherever they change: by faults, forks, system calls and ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

from emu.machine.pte import V, ppn
from kernel.space import AddressSpace

Tell = Callable[[int, int, int, int], None]
"""(pid, page, PTE, how many hold the frame)"""


class PageWatch:
    """Looks at ``pages`` in the spaces of ``pids``, and tells of those that are different now."""

    def __init__(self, pages: Set[int], pids: Mapping[AddressSpace, int], tell: Tell) -> None:
        self._pages = pages
        self._pids = pids
        self._tell = tell
        self._known: dict[tuple[AddressSpace, int], tuple[int, int]] = {}

    def look(self) -> None:
        for page in self._pages:
            for space, pid in self._pids.items():
                state = _state(space, page)
                if self._known.get((space, page), (0, 0)) != state:
                    self._known[space, page] = state
                    self._tell(pid, page, *state)

    def discarding(self, space: AddressSpace) -> None:
        """The space is about to go."""
        for page in self._pages:
            self._known.pop((space, page), None)


def _state(space: AddressSpace, page: int) -> tuple[int, int]:
    """The PTE and how many hold its frame, which is not told of the zero frame."""
    pte = space.table.pte(page)
    frame = ppn(pte) if pte & V else 0
    known = frame and frame != space.frames.zero
    return pte, space.frames.count(frame) if known else 0

"""How many bytes of a copied page were really changed, by the time the process let go of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from emu.machine.pte import PAGE_SIZE, V, ppn
from kernel.lazy import np
from kernel.space import AddressSpace

Settle = Callable[["Copy", int, int, str], None]
"""(copy, page, bytes changed, why)"""


class Copy(NamedTuple):
    """A page that fault number ``fault`` copied: what it held then."""

    fault: int
    pid: int
    content: bytes


class Copies:
    """The copied pages that are in use. ``settled`` is told of each as it comes to its end.

    A page's copy ends when the page is unmapped, when another fault copies it anew (it was shared
    again by a later fork), or with its process's image. It takes 4 KiB of the host's memory until
    then.
    """

    def __init__(self, settled: Settle) -> None:
        self._settled = settled
        self._open: dict[AddressSpace, dict[int, Copy]] = {}

    def copied(self, space: AddressSpace, page: int, fault: int, pid: int) -> None:
        """The page was just copied; nothing has been stored to it since."""
        content = space.frames.ram.read_frame(ppn(space.table.pte(page)))
        pages = self._open.setdefault(space, {})
        earlier, pages[page] = pages.get(page), Copy(fault, pid, content)
        if earlier is not None:  # what is copied now is what had become of the earlier copy
            self._settled(earlier, page, _difference(earlier.content, content), "copied again")

    def clearing(self, space: AddressSpace, start: int, end: int) -> None:
        pages = self._open.get(space)
        if not pages:
            return
        every = range(start, end, PAGE_SIZE)
        span: Iterable[int] = every if len(every) <= len(pages) else sorted(pages)
        for page in [page for page in span if page in pages and start <= page < end]:
            self._settle(space, page, pages.pop(page), "unmapped")

    def moved(self, space: AddressSpace, start: int, end: int, to: int) -> None:
        pages = self._open.get(space, {})
        for page in [page for page in pages if start <= page < end]:
            pages[page - start + to] = pages.pop(page)

    def handed_on(self, space: AddressSpace, pid: int, to: int) -> None:
        """Process ``pid`` leaves the space; what it had copied there is ``to``'s from now on."""
        pages = self._open.get(space, {})
        for page, copy in pages.items():
            if copy.pid == pid:
                pages[page] = copy._replace(pid=to)

    def discarding(self, space: AddressSpace, why: str) -> None:
        """The space is about to go; or the run is."""
        for page, copy in sorted(self._open.pop(space, {}).items()):
            self._settle(space, page, copy, why)

    def _settle(self, space: AddressSpace, page: int, copy: Copy, why: str) -> None:
        pte = space.table.pte(page)
        if pte & V:
            now = space.frames.ram.read_frame(ppn(pte))
            self._settled(copy, page, _difference(copy.content, now), why)


def _difference(before: bytes, after: bytes) -> int:
    """How many bytes differ."""
    if before == after:
        return 0
    differ = np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8)
    return int(np.count_nonzero(differ))

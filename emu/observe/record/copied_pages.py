"""How many bytes of a copied page were really changed, by the time the process let go of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from emu.machine.pte import PAGE_SIZE, PTES_PER_TABLE, V, ppn
from emu.observe.model.raw_events import CopyRetired
from kernel.base.lazy_numpy import np
from kernel.mm.address_space import AddressSpace

_AT_ONCE = 64
"""So many pages are compared at once at the most: all that is copied for it stays in the caches."""
_FEW = 8
"""Fewer are sooner compared one by one."""
Settle = Callable[[list[CopyRetired], str], None]
"""The pages, and why."""


class Copy(NamedTuple):
    """A page that fault number ``fault`` copied: what it held then."""

    fault: int
    pid: int
    content: bytes


class Copies:
    """The copied pages that are in use. ``settled`` is told of those that come to their end.

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
            changed = _difference(earlier.content, content)
            self._settled([CopyRetired(earlier.fault, earlier.pid, page, changed)], "copied again")

    def clearing(self, space: AddressSpace, start: int, end: int) -> None:
        pages = self._open.get(space)
        if not pages:
            return
        every = range(start, end, PAGE_SIZE)
        span: Iterable[int] = every if len(every) <= len(pages) else sorted(pages)
        ended = [page for page in span if page in pages and start <= page < end]
        self._settle(space, [(page, pages.pop(page)) for page in ended], "unmapped")

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
        self._settle(space, sorted(self._open.pop(space, {}).items()), why)

    def _settle(self, space: AddressSpace, ended: list[tuple[int, Copy]], why: str) -> None:
        pte_of = space.table.pte
        present = [(page, copy, pte) for page, copy in ended if (pte := pte_of(page)) & V]
        for start in range(0, len(present), _AT_ONCE):
            some = present[start : start + _AT_ONCE]
            pairs = zip(some, _changes(space, some), strict=True)
            told = [CopyRetired(copy.fault, copy.pid, page, n) for (page, copy, _), n in pairs]
            self._settled(told, why)


def _changes(space: AddressSpace, copies: list[tuple[int, Copy, int]]) -> list[int]:
    """How many bytes of each have changed: (page, copy, PTE)."""
    ram = space.frames.ram
    if len(copies) < _FEW:
        return [_difference(copy.content, ram.read_frame(ppn(pte))) for _, copy, pte in copies]
    before = np.frombuffer(b"".join(copy.content for _, copy, _ in copies), np.uint64)
    frames = [ppn(pte) - space.frames.first for _, _, pte in copies]
    after = space.frames.tables[frames].ravel()
    at = np.flatnonzero(before != after)  # few words differ, so only these are looked into
    differ = (before[at] ^ after[at]).view(np.uint8).reshape(-1, 8)
    changed = np.bincount(at // PTES_PER_TABLE, np.count_nonzero(differ, axis=1), len(copies))
    found: list[int] = changed.astype(np.int64).tolist()
    return found


def _difference(before: bytes, after: bytes) -> int:
    """How many bytes differ."""
    if before == after:
        return 0
    differ = np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8)
    return int(np.count_nonzero(differ))

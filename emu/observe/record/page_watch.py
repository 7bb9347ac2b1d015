"""Watched pages: reports each change of their PTEs by faults, forks, system calls and exits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import NamedTuple

from emu.machine.pte import PPN_MASK, PPN_SHIFT, V, ppn
from emu.observe.record.address_space_pids import AddressSpacePids
from kernel.base.lazy_numpy import Counts, Ptes, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.physical.frames import Kind

OnChange = Callable[[int, int, int, int], None]
"""Receives (pid, page, PTE, reference count of the frame)."""


class _Known(NamedTuple):
    """Cached state of a page, by slot of each space; valid while ``packed`` has the same value."""

    packed: int
    ptes: Ptes
    counts: Counts


class PageWatch:
    """Compares ``pages`` in the spaces of ``pids`` with their last state; reports changes."""

    def __init__(self, pages: Set[int], pids: AddressSpacePids, on_change: OnChange) -> None:
        self._pages = pages
        self._pids = pids
        self._on_change = on_change
        self._known: dict[tuple[AddressSpace, int], tuple[int, int]] = {}
        self._by_slot: dict[int, _Known] = {}

    def check(self) -> None:
        for page in self._pages:
            for space, state in self._changes(page):
                self._known[space, page] = state
                self._on_change(self._pids[space], page, *state)

    def discarding(self, space: AddressSpace) -> None:
        """Drops the state of a space that is about to be released."""
        for page in self._pages:
            self._known.pop((space, page), None)

    def _changes(self, page: int) -> Iterable[tuple[AddressSpace, tuple[int, int]]]:
        now = self._pids.page_in_all(page)
        if now is None:
            self._by_slot.pop(page, None)
            states = [(space, _state(space, page)) for space in self._pids]
            return [
                (s, state) for s, state in states if self._known.get((s, page), (0, 0)) != state
            ]
        slots, ptes, _ = now
        known, counts = self._known_by_slot(page), self._counts(ptes)
        changed = np.flatnonzero((known.ptes[slots] != ptes) | (known.counts[slots] != counts))
        at = slots[changed]
        known.ptes[at], known.counts[at] = ptes[changed], counts[changed]
        spaces = map(self._pids.at, at.tolist())
        pairs = zip(ptes[changed].tolist(), counts[changed].tolist(), strict=True)
        return zip(spaces, pairs, strict=True)

    def _known_by_slot(self, page: int) -> _Known:
        pids, known = self._pids, self._by_slot.get(page)
        if known is None or known.packed != pids.packed:
            states = [self._known.get((pids.at(slot), page), (0, 0)) for slot in range(pids.slots)]
            ptes, counts = zip(*states, strict=True)
            known = _Known(pids.packed, np.array(ptes, np.uint64), np.array(counts, np.int32))
        missing = pids.slots - len(known.ptes)
        if missing > 0:
            more = missing + len(known.ptes)  # grow in proportion, so that few spaces cause a copy
            known = _Known(
                known.packed, np.pad(known.ptes, (0, more)), np.pad(known.counts, (0, more))
            )
        self._by_slot[page] = known
        return known

    def _counts(self, ptes: Ptes) -> Counts:
        """Returns the frame counts of the PTEs, as :func:`_state` does."""
        frames = next(iter(self._pids)).frames
        indices = ((ptes >> PPN_SHIFT) & PPN_MASK).astype(np.int64) - frames.first
        indices = np.where((ptes & V) != 0, indices, frames.zero - frames.first)
        counted = frames.kinds[indices] != int(Kind.ZERO)
        counts: Counts = np.where(counted, frames.counts[indices], 0)
        return counts


def _state(space: AddressSpace, page: int) -> tuple[int, int]:
    """Returns the PTE and its frame's reference count; 0 for a frame of zeroes."""
    pte = space.table.pte(page)
    frame = ppn(pte) if pte & V else space.frames.zero
    return pte, 0 if space.frames.kind(frame) is Kind.ZERO else space.frames.count(frame)

"""The memory of a mapping with MAP_HUGETLB: its reservation, and the pages of a shared one."""

from __future__ import annotations

from collections.abc import Mapping

from emu.machine.pte import HUGE_FRAMES
from kernel.mm.physical.huge_pool import HugePool


class HugetlbMemory:
    """A :class:`kernel.mm.backing.backing.Backing` of ``count`` huge pages of ``pool``.

    A private mapping has an owner, the address space that made it: the reservation is the owner's
    alone, not that of its children, whose copies may find no page (SIGBUS). Pages of the memory are
    numbered by 4 KiB, as in all backings.
    """

    needs_write_notice = False
    in_huge_pages = True

    def __init__(self, pool: HugePool, count: int, owner: object | None, *, reserve: bool) -> None:
        """``owner`` is None for a shared mapping. The caller has reserved the pages if needed."""
        self.users = 0
        self.in_memory = True
        self.dirty: set[int] = set()
        self.pool = pool
        self.owner = owner
        self._reserved = set(range(count)) if reserve else set[int]()
        """Numbers of the huge pages that are reserved and not taken."""
        self._runs: dict[int, int] = {}
        """Huge pages of a shared mapping: number → PPN of the first frame."""
        self.lost: set[tuple[object, int]] = set()
        """(address space, number) of private pages that the owner took away."""

    def take(self, index: int, space: object) -> int | None:
        """A run for page ``index``, of the reservation if it is the space's; None without one."""
        number = index // HUGE_FRAMES
        reserved = number in self._reserved and self.owner in (None, space)
        run = self.pool.take(reserved=reserved)
        if run is not None and reserved:
            self._reserved.discard(number)
        return run

    def shared_run(self, index: int) -> int | None:
        """The run of a shared mapping for page ``index``, with a further reference."""
        number = index // HUGE_FRAMES
        run = self._runs.get(number)
        if run is not None:
            self.pool.share(run)
            return run
        run = self.take(index, None)
        if run is not None:
            self._runs[number] = run
            self.pool.held.add(run)
        return run

    def restore(self, index: int, space: object) -> None:
        """Reserves page ``index`` again for its owner, which has released it (MADV_DONTNEED)."""
        if self.owner is space and self.pool.reserve(1):
            self._reserved.add(index // HUGE_FRAMES)

    def unmapped(self, space: object, first: int, end: int) -> None:
        if self.owner is space:
            self._unreserve(set(range(first // HUGE_FRAMES, end // HUGE_FRAMES)))

    def _unreserve(self, numbers: set[int]) -> None:
        self.pool.reserved -= len(self._reserved & numbers)
        self._reserved -= numbers

    def unused(self) -> None:
        self._unreserve(set(self._reserved))
        self.pool.held.difference_update(self._runs.values())
        self._runs.clear()

    def remove(self, first: int, last: int) -> None:
        for number in range(-(-first // HUGE_FRAMES), (last + 1) // HUGE_FRAMES):
            if number in self._runs and not self.pool.zero_if_mapped(self._runs[number]):
                self.pool.held.discard(self._runs.pop(number))

    # Pages of 4 KiB, as other backings have them, are there only as parts of mapped huge pages.

    def frame(self, index: int) -> int | None:
        return None

    def cached(self, first: int, end: int) -> list[tuple[int, int]]:
        return []

    def resident(self, index: int) -> bool:
        return index // HUGE_FRAMES in self._runs

    def stored_to(self, index: int) -> None:
        pass

    def write_back(self, first: int, last: int) -> None:
        pass

    def held(self) -> Mapping[int, int]:
        return {}

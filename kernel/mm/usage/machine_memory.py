"""Numbers of the machine's frames by their use."""

from __future__ import annotations

from collections.abc import Iterable

from emu.machine.pte import HUGE_FRAMES, ppn
from kernel.base.lazy_numpy import np
from kernel.base.memory_figures import MachineMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.page_cache import PageCache
from kernel.mm.mappings.vma import USER_END
from kernel.mm.physical.frames import Frames, Kind
from kernel.mm.physical.huge_pool import HugePool


def machine_memory(
    frames: Frames, cache: PageCache, pool: HugePool, own: int, spaces: Iterable[AddressSpace]
) -> MachineMemory:
    """``own`` is the number of the kernel's own pages, which are of no file."""
    kinds = frames.kinds[: frames.touched]
    anonymous, cached, tables = (
        int(np.count_nonzero(kinds == int(kind))) for kind in (Kind.PRIVATE, Kind.CACHE, Kind.TABLE)
    )
    cached -= own
    mapped = (kinds == int(Kind.CACHE)) & (frames.counts[: frames.touched] > 1)
    files = sum(len(file.held()) for file in cache.files if not file.in_memory)
    return MachineMemory(
        total=frames.total,
        free=frames.total - frames.used,
        anonymous=anonymous,
        cached=cached,
        shmem=cached - files,
        mapped=int(np.count_nonzero(mapped)),
        tables=tables,
        pool=len(pool.runs),
        pool_free=pool.free,
        pool_reserved=pool.reserved,
        huge=HUGE_FRAMES * len(_huge_runs(frames, spaces)),
    )


def _huge_runs(frames: Frames, spaces: Iterable[AddressSpace]) -> set[int]:
    """The transparent huge pages that some page table maps whole, without the zero page."""
    pages = (page for space in spaces for page in space.table.huge_pages(0, USER_END))
    return {ppn(pte) for _, pte in pages if frames.kind(ppn(pte)) is Kind.PRIVATE}

"""Numbers of the machine's frames by their use."""

from __future__ import annotations

from kernel.base.lazy_numpy import np
from kernel.base.memory_figures import MachineMemory
from kernel.mm.frames import Frames, Kind
from kernel.mm.huge_pool import HugePool
from kernel.mm.page_cache import PageCache


def machine_memory(frames: Frames, cache: PageCache, pool: HugePool, own: int) -> MachineMemory:
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
    )

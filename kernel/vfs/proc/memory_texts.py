"""/proc/meminfo, vmstat and zoneinfo (proc_meminfo(5), proc_vmstat(5))."""

from __future__ import annotations

from kernel.base.memory_figures import MachineMemory
from kernel.vfs.proc.protocol import ProcKernel

_HUGE = 512
"""Pages of a huge page."""
_WATERMARK = 256
"""Pages that Linux would keep free: one of this many."""


def meminfo_text(kernel: ProcKernel) -> str:
    memory = kernel.machine_memory
    committed = sum(
        process.memory.figures().data for process in kernel.processes.values() if process.alive
    )
    files = memory.cached - memory.shmem
    rows = {
        "MemTotal": memory.total, "MemFree": memory.free, "MemAvailable": memory.free + files,
        "Buffers": 0, "Cached": memory.cached, "SwapCached": 0,
        "Active": memory.anonymous, "Inactive": memory.cached,
        "Active(anon)": memory.anonymous, "Inactive(anon)": memory.shmem,
        "Active(file)": 0, "Inactive(file)": files,
        "Unevictable": 0, "Mlocked": 0, "SwapTotal": 0, "SwapFree": 0, "Dirty": 0,
        "Writeback": 0, "AnonPages": memory.anonymous, "Mapped": memory.mapped,
        "Shmem": memory.shmem, "KReclaimable": 0, "Slab": 0, "SReclaimable": 0,
        "SUnreclaim": 0, "KernelStack": 0, "PageTables": memory.tables, "SecPageTables": 0,
        "NFS_Unstable": 0, "Bounce": 0, "WritebackTmp": 0, "CommitLimit": memory.total // 2,
        "Committed_AS": committed + memory.shmem, "VmallocTotal": 0, "VmallocUsed": 0,
        "VmallocChunk": 0, "Percpu": 0, "AnonHugePages": memory.huge, "ShmemHugePages": 0,
        "ShmemPmdMapped": 0, "FileHugePages": 0, "FilePmdMapped": 0,
    }  # fmt: skip
    text = "".join(f"{name + ':':<15} {pages * 4:8} kB\n" for name, pages in rows.items())
    for name, pages in (
        ("HugePages_Total", memory.pool),
        ("HugePages_Free", memory.pool_free),
        ("HugePages_Rsvd", memory.pool_reserved),
        ("HugePages_Surp", 0),
    ):
        text += f"{name + ':':<15} {pages:7}\n"
    size = f"{'Hugepagesize:':<15} {2048:8} kB\n"
    return text + size + f"{'Hugetlb:':<15} {memory.pool * 2048:8} kB\n"


def vmstat_text(kernel: ProcKernel) -> str:
    activity = kernel.activity
    rows = _pages(kernel.machine_memory) | {
        "pgpgin": 0, "pgpgout": 0, "pswpin": 0, "pswpout": 0,
        "pgalloc_normal": activity.allocated, "pgfree": activity.freed,
        "pgfault": activity.faults, "pgmajfault": activity.major_faults, "pgreuse": activity.reused,
        "oom_kill": 0, "thp_fault_alloc": activity.huge.mapped,
        "thp_fault_fallback": activity.huge.fallbacks,
        "thp_collapse_alloc": activity.huge.collapsed, "thp_split_page": 0,
        "thp_split_pmd": activity.huge.split,
        "thp_zero_page_alloc": activity.huge.zeroes, "swap_ra": 0, "swap_ra_hit": 0,
    }  # fmt: skip
    return "".join(f"{name} {value}\n" for name, value in rows.items())


def _pages(memory: MachineMemory) -> dict[str, int]:
    files = memory.cached - memory.shmem
    return {
        "nr_free_pages": memory.free, "nr_inactive_anon": memory.shmem,
        "nr_active_anon": memory.anonymous, "nr_inactive_file": files, "nr_active_file": 0,
        "nr_unevictable": 0, "nr_mlock": 0, "nr_anon_pages": memory.anonymous,
        "nr_mapped": memory.mapped, "nr_file_pages": memory.cached, "nr_dirty": 0,
        "nr_writeback": 0, "nr_shmem": memory.shmem, "nr_page_table_pages": memory.tables,
        "nr_anon_transparent_hugepages": memory.huge // _HUGE,
        "nr_slab_reclaimable": 0, "nr_slab_unreclaimable": 0,
    }  # fmt: skip


def zoneinfo_text(kernel: ProcKernel) -> str:
    memory = kernel.machine_memory
    low = memory.total // _WATERMARK
    node = "".join(f"      {name:<12} {value}\n" for name, value in _pages(memory).items())
    sizes = {
        "boost": 0, "min": low, "low": low * 5 // 4, "high": low * 3 // 2, "promo": low * 7 // 4,
        "spanned": memory.total, "present": memory.total, "managed": memory.total, "cma": 0,
    }  # fmt: skip
    zone = "".join(f"        {name:<8} {value}\n" for name, value in sizes.items())
    return (
        f"Node 0, zone   Normal\n  per-node stats\n{node}  pages free     {memory.free}\n{zone}"
        f"      nr_free_pages {memory.free}\n  node_unreclaimable:  0\n"
        "  start_pfn:           524288\n"
    )

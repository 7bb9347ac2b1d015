"""/sys: only the settings of huge pages, which allocators and databases read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernel.vfs.core.filesystem import SYSFS_MAGIC
from kernel.vfs.names.namespace import Namespace
from kernel.vfs.proc.nodes import ProcDir, ProcFs, texts_dir
from kernel.vfs.proc.protocol import ProcKernel

_THP = "kernel/mm/transparent_hugepage/"
_POOL = "kernel/mm/hugepages/hugepages-2048kB/"
_HUGE_SIZE = 1 << 21


def sys_directory(kernel: ProcKernel, namespace: Namespace) -> ProcDir:
    """The root of /sys."""
    filesystem = ProcFs(kernel.clock.realtime, namespace.budget, "sysfs", SYSFS_MAGIC, 9)
    texts: dict[str, Callable[[], str]] = {
        _THP + "enabled": lambda: _bracketed(("always", "madvise", "never"), kernel.huge_mode),
        _THP + "defrag": lambda: _bracketed(
            ("always", "defer", "defer+madvise", "madvise", "never"), "never"
        ),
        _THP + "hpage_pmd_size": lambda: str(_HUGE_SIZE),
        _THP + "use_zero_page": lambda: "1",
        _THP + "shmem_enabled": lambda: _bracketed(
            ("always", "within_size", "advise", "never", "deny", "force"), "never"
        ),
    }
    for name, value in pool_settings(kernel).items():
        texts[_POOL + name] = value
    return texts_dir(filesystem, texts)


def pool_settings(kernel: ProcKernel) -> dict[str, Callable[[], str]]:
    """Settings and counts of the pool for MAP_HUGETLB, whose size is fixed."""
    return {
        "nr_hugepages": lambda: str(kernel.machine_memory.pool),
        "nr_hugepages_mempolicy": lambda: str(kernel.machine_memory.pool),
        "nr_overcommit_hugepages": lambda: "0",
        "free_hugepages": lambda: str(kernel.machine_memory.pool_free),
        "resv_hugepages": lambda: str(kernel.machine_memory.pool_reserved),
        "surplus_hugepages": lambda: "0",
    }


def _bracketed(values: Sequence[str], value: str) -> str:
    """All values of a setting, as Linux lists them: the one that holds in brackets."""
    return " ".join(f"[{each}]" if each == value else each for each in values)

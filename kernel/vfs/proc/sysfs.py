"""/sys: only the settings of transparent huge pages, which allocators and databases read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernel.vfs.core.filesystem import SYSFS_MAGIC
from kernel.vfs.names.namespace import Namespace
from kernel.vfs.proc.nodes import ProcDir, ProcFs, texts_dir
from kernel.vfs.proc.protocol import ProcKernel

_THP = "kernel/mm/transparent_hugepage/"
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
    return texts_dir(filesystem, texts)


def _bracketed(values: Sequence[str], value: str) -> str:
    """All values of a setting, as Linux lists them: the one that holds in brackets."""
    return " ".join(f"[{each}]" if each == value else each for each in values)

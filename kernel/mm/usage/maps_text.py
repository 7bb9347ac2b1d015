"""The texts of /proc/PID/maps, smaps and smaps_rollup (proc_pid_smaps(5)), as of Linux 6.12."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from emu.machine.pte import HUGE_SIZE, PAGE_SHIFT, PAGE_SIZE
from kernel.base.errors import Errno
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.file_pages import mapped_file
from kernel.mm.mappings.vma import Vma
from kernel.mm.usage.page_counts import PSS_SHIFT, PageCounts, count_pages
from kernel.mm.usage.page_users import PageUsers
from kernel.mm.usage.vma_flags import flags_text

_NAME_COLUMN = 73
_ZERO_DEVICE = "00:01"
"""Device of the files that hold shared anonymous memory."""


def maps_text(space: AddressSpace) -> str:
    return "".join(map(_header, space.vmas))


def smaps_text(space: AddressSpace) -> str:
    users = PageUsers(space.frames)
    return "".join(_record(space, vma, users) for vma in space.vmas)


def smaps_rollup_text(space: AddressSpace) -> str:
    """The sums over all VMAs; empty without any."""
    if not space.vmas:
        return ""
    users, total = PageUsers(space.frames), PageCounts()
    for vma in space.vmas:
        total.add(count_pages(space, vma, users))
    head = f"{space.vmas[0].start:08x}-{space.vmas[-1].end:08x} ---p 00000000 00:00 0 "
    return f"{head:<{_NAME_COLUMN}}[rollup]\n" + _lines(_counted(total, rollup=True))


def _record(space: AddressSpace, vma: Vma, users: PageUsers) -> str:
    counts = count_pages(space, vma, users)
    page = (HUGE_SIZE if vma.in_huge_pages else PAGE_SIZE) >> 10
    sizes = [("Size", vma.length >> 10), ("KernelPageSize", page), ("MMUPageSize", page)]
    text = _lines([*sizes, *_counted(counts)])
    eligible = int(space.huge_pages.fit(vma, -(-vma.start // HUGE_SIZE) * HUGE_SIZE))
    return f"{_header(vma)}{text}THPeligible:    {eligible:8}\nVmFlags: {flags_text(vma)}\n"


def _counted(counts: PageCounts, *, rollup: bool = False) -> Iterator[tuple[str, int]]:
    """Yields (name, kB)."""
    yield "Rss", _pages(counts.resident)
    yield "Pss", _share(counts.pss)
    yield "Pss_Dirty", _share(counts.pss_dirty)
    if rollup:
        yield "Pss_Anon", _share(counts.pss_anon)
        yield "Pss_File", _share(counts.pss_file)
        yield "Pss_Shmem", _share(counts.pss_shmem)
    yield "Shared_Clean", _pages(counts.shared_clean)
    yield "Shared_Dirty", _pages(counts.shared_dirty)
    yield "Private_Clean", _pages(counts.private_clean)
    yield "Private_Dirty", _pages(counts.private_dirty)
    yield "Referenced", _pages(counts.referenced)
    yield "Anonymous", _pages(counts.anonymous)
    yield "KSM", 0
    yield "LazyFree", _pages(counts.lazily_freed)
    yield "AnonHugePages", _pages(counts.huge)
    yield "ShmemPmdMapped", 0
    yield "FilePmdMapped", 0
    yield "Shared_Hugetlb", _pages(counts.shared_hugetlb)
    yield "Private_Hugetlb", _pages(counts.private_hugetlb)
    yield "Swap", 0
    yield "SwapPss", 0
    yield "Locked", _share(counts.pss_locked)


def _pages(count: int) -> int:
    return count << PAGE_SHIFT >> 10


def _share(share: int) -> int:
    return share >> (10 + PSS_SHIFT)


def _lines(rows: Iterable[tuple[str, int]]) -> str:
    return "".join(f"{name + ':':<16}{value:8} kB\n" for name, value in rows)


def _header(vma: Vma) -> str:
    offset = vma.offset if vma.backing is not None else 0
    device, inode, name = _source(vma)
    head = f"{vma.start:08x}-{vma.end:08x} {vma.rights_text} {offset:08x} {device} {inode} "
    return f"{head:<{_NAME_COLUMN}}{name}\n" if name else f"{head}\n"


def _source(vma: Vma) -> tuple[str, int, str]:
    """Device, inode number and name of what the VMA maps."""
    name = vma.name.replace("\n", "\\012")
    file = mapped_file(vma.backing)
    if file is None:
        return (_ZERO_DEVICE if vma.shared else "00:00"), 0, name
    try:
        status = file.stat()
    except Errno:  # the file was removed on the host
        return "00:00", 0, name
    if not status.nlink and not name.endswith(" (deleted)"):
        name += " (deleted)"
    return f"{os.major(status.dev):02x}:{os.minor(status.dev):02x}", status.ino, name

"""Mappings with MAP_HUGETLB (mmap(2)): sizes, places and reservations of huge pages."""

from __future__ import annotations

from emu.machine.pte import HUGE_SHIFT, HUGE_SIZE
from kernel.base.errno import EINVAL, ENOMEM
from kernel.base.errors import Errno
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.hugetlb_memory import HugetlbMemory
from kernel.mm.mappings.vma import USER_END, Prot, Vma
from kernel.syscalls.context import SyscallContext

_SIZE_SHIFT, _SIZE_MASK = 26, 0x3F
"""MAP_HUGE_SHIFT and MAP_HUGE_MASK: the binary logarithm of the pages' size; 0 for the default."""
_GIGANTIC_SHIFT = 30
_NAME = "/anon_hugepage (deleted)"


def huge_page_up(value: int) -> int:
    return (value + HUGE_SIZE - 1) & -HUGE_SIZE


def check_size(flags: int, *, anonymous: bool) -> None:
    """Checks the size of pages in mmap's flags: EINVAL for one that the machine does not have, and
    for a file; ENOMEM for 1 GiB, of which the pool has no page.
    """
    size = flags >> _SIZE_SHIFT & _SIZE_MASK
    if not anonymous or size not in (0, HUGE_SHIFT, _GIGANTIC_SHIFT):
        raise Errno(EINVAL)
    if size == _GIGANTIC_SHIFT:
        raise Errno(ENOMEM)


def place(space: AddressSpace, address: int, length: int) -> int:
    """A free range of whole huge pages: at ``address``, rounded up, or as high as possible."""
    hint = huge_page_up(address)
    if hint and hint + length <= USER_END and not space.overlapping(hint, hint + length):
        return hint
    return space.find_gap(length, align=HUGE_SIZE)


def new_vma(
    t: SyscallContext, start: int, length: int, prot: Prot, *, shared: bool, reserve: bool
) -> Vma:
    """A mapping of the pool's pages; ENOMEM if they cannot be reserved."""
    pool, count = t.kernel.huge_pool, length // HUGE_SIZE
    if reserve and not pool.reserve(count):
        raise Errno(ENOMEM)
    owner = None if shared else t.process.space
    memory = HugetlbMemory(pool, count, owner, reserve=reserve)
    return Vma(start, start + length, prot, shared=shared, backing=memory, name=_NAME)

"""The kernel's reads and writes of user memory (copy_from_user, copy_to_user).

They go page by page through the same page table and, where a PTE does not allow the access, the
same fault handler as the user's own instructions: so a read(2) into a shared page breaks CoW, and
a bad pointer is EFAULT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from emu.machine.cause import Access
from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, A, D, V, ppn
from kernel.base.errno import EFAULT, ENAMETOOLONG
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.faults.fault import allows, handle
from kernel.mm.mappings.vma import USER_END
from kernel.mm.outcome import Outcome
from kernel.mm.resolution import Resolution

FaultHandler = Callable[[AddressSpace, Resolution], None]


class UserMemory:
    """The user memory of ``space``. ``on_fault`` is called after each page fault of an access.

    Every method raises Errno(EFAULT) for memory that the process may not access in this way, and
    :class:`OutOfMemory` when there is no frame for a page.
    """

    __slots__ = ("on_fault", "space")

    def __init__(self, space: AddressSpace, on_fault: FaultHandler) -> None:
        self.space = space
        self.on_fault = on_fault

    def read(self, va: int, count: int) -> bytes:
        ram = self.space.frames.ram
        end = (va & PAGE_MASK) + count
        if end <= PAGE_SIZE:
            return ram.read(self._reach(va, Access.LOAD), count) if count else b""
        return b"".join(
            ram.read(self._reach(at, Access.LOAD), size) for at, size in _pages(va, count)
        )

    def write(self, va: int, data: bytes | bytearray | memoryview) -> None:
        """Writes ``data``; on a fault the pages before it are written."""
        ram = self.space.frames.ram
        view = memoryview(data)
        done = 0
        for at, size in _pages(va, len(view)):
            ram.write(self._reach(at, Access.STORE), view[done : done + size])
            done += size

    def writable(self, va: int, count: int) -> int:
        """Returns how many of ``count`` bytes from ``va`` are writable before EFAULT."""
        done = 0
        try:
            for at, size in _pages(va, count):
                self._reach(at, Access.STORE)
                done += size
        except Errno:
            pass
        return done

    def read_cstr(self, va: int, limit: int = 4096) -> bytes:
        """Reads the string at ``va`` without its NUL; ENAMETOOLONG beyond ``limit`` bytes."""
        parts: list[bytes] = []
        for at, size in _pages(va, limit):
            part = self.space.frames.ram.read(self._reach(at, Access.LOAD), size)
            end = part.find(0)
            if end >= 0:
                parts.append(part[:end])
                return b"".join(parts)
            parts.append(part)
        raise Errno(ENAMETOOLONG)

    def read_u64(self, va: int) -> int:
        return int.from_bytes(self.read(va, 8), "little")

    def read_u32(self, va: int) -> int:
        return int.from_bytes(self.read(va, 4), "little")

    def write_u64(self, va: int, value: int) -> None:
        self.write(va, (value & (1 << 64) - 1).to_bytes(8, "little"))

    def write_u32(self, va: int, value: int) -> None:
        self.write(va, (value & 0xFFFFFFFF).to_bytes(4, "little"))

    def _reach(self, va: int, access: Access) -> int:
        """Returns the physical address of ``va``; handles a page fault if ``access`` needs it."""
        if not 0 <= va < USER_END:
            raise Errno(EFAULT)
        table = self.space.table
        pte = table.pte(va)
        wanted = A | D if access is Access.STORE else A
        if not allows(pte, access):
            resolution = handle(self.space, va, access)
            self.on_fault(self.space, resolution)
            if resolution.outcome is Outcome.OUT_OF_MEMORY:
                raise OutOfMemory
            if resolution.failed:
                raise Errno(EFAULT)
            pte = resolution.pte_after
            if resolution.pte_before & V and ppn(resolution.pte_before) != ppn(pte):
                # The TLB may hold the old frame, and no user miss replaces that entry.
                self.space.flush_tlb()
        elif pte & wanted != wanted:
            table.add_flags(va, wanted)
        return ppn(pte) << PAGE_SHIFT | va & PAGE_MASK


def _pages(va: int, count: int) -> Iterator[tuple[int, int]]:
    """Yields (address, size) of the part of [va, va + count) in each page."""
    end = va + count
    while va < end:
        size = min(PAGE_SIZE - (va & PAGE_MASK), end - va)
        yield va, size
        va += size

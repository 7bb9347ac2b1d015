"""Address spaces without processes: frames, a page cache, and a CPU that reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from emu.lab.simulation.cpu import Cpu, Killed
from emu.machine.cause import Access
from emu.machine.pte import PAGE_MASK, PAGE_SIZE
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu
from kernel.base.resource_limits import Limits
from kernel.check import invariants, memory_snapshot
from kernel.check.violation import InvariantBroken
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.backing import Backing
from kernel.mm.backing.page_cache import PageCache
from kernel.mm.faults.user_memory import UserMemory
from kernel.mm.forking import fork
from kernel.mm.mappings.huge_policy import HugePages
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.physical.frames import Frames
from kernel.mm.physical.huge_pool import HugePool
from kernel.mm.physical.huge_zero_page import drop_huge_zero
from kernel.mm.resolution import Resolution
from kernel.syscalls.table import ROWS
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.memfs.memfs import MemFs

BASE = 0x4000_0000
_CALLS = {row.name: row.function for row in ROWS}
RW = Prot.READ | Prot.WRITE
RX = Prot.READ | Prot.EXEC


@contextmanager
def ranges_gone_through(*, page_by_page: bool) -> Iterator[None]:
    """Processes ranges page by page, as short ones are, or with NumPy, as long ones are."""
    with (
        patch("kernel.mm.physical.numpy_threshold.FEW_PAGES", 64 if page_by_page else 0),
        patch("kernel.mm.physical.numpy_threshold.numpy_is_there", lambda: not page_by_page),
    ):
        yield


class World:
    """``pages`` frames of RAM, and the address spaces that a test creates."""

    def __init__(self, pages: int = 512) -> None:
        self.ram = Ram(pages * PAGE_SIZE)
        self.frames = Frames(self.ram)
        self.cache = PageCache(self.frames, self._unmap_file)
        self.frames.reclaim = lambda: drop_huge_zero(self.frames) or self.cache.reclaim()
        self.spaces: list[AddressSpace] = []
        self.files = MemFs(owner=Credentials(0, 0))
        self.cpu = Cpu(Mmu(self.ram), lambda resolution: self.outcomes.append(resolution.outcome))
        self.outcomes: list[Outcome] = []
        self._asid = 0
        self.huge_pages = HugePages(supported=True)
        self._last_valid: memory_snapshot.MemorySnapshot | None = None

    # Making spaces.

    def space(self) -> AddressSpace:
        self._asid += 1
        space = AddressSpace(self.frames, self._asid, self.cpu.flush)
        space.set_huge_pages(self.huge_pages)
        self.spaces.append(space)
        return space

    def fork(self, parent: AddressSpace, policy: str = "cow") -> AddressSpace:
        self._asid += 1
        child, self.cost = fork.fork(parent, self._asid, fork.POLICIES[policy])
        self.spaces.append(child)
        return child

    def file(self, content: bytes) -> Any:
        """A regular file in memory."""
        node = self.files.root.create(f"file{len(list(self.files.root.entries()))}", 0o644)
        node.write_file(0, content)
        return node

    def _unmap_file(self, backing: Backing, first: int, last: int | None = None) -> None:
        for space in self.spaces:
            space.unmap_file(backing, first, last)

    def exit(self, space: AddressSpace) -> None:
        space.leave()
        self.spaces.remove(space)

    def check(self) -> None:
        """Raises InvariantBroken unless the invariants of memory hold."""
        spaces = memory_snapshot.unique(self.spaces)
        broken = invariants.violations(
            memory_snapshot.MemorySnapshot(self.frames, spaces, self.cache)
        )
        since = memory_snapshot.MemorySnapshot(
            self.frames, spaces, self.cache, earlier=self._last_valid
        )
        names = {violation.name for violation in invariants.violations(since)}
        assert names == {violation.name for violation in broken}, "an incremental check finds less"
        self._last_valid = None if broken else since
        if broken:
            raise InvariantBroken(broken)

    def end(self) -> None:
        """Ends all processes; no frame may leak."""
        for space in list(self.spaces):
            self.exit(space)
            self.check()
        while self.frames.reclaim():
            pass
        assert invariants.leaks(self.frames) == []

    # The CPU.

    @property
    def flushes(self) -> int:
        return self.cpu.flushes

    def load(self, space: AddressSpace, va: int, count: int = 1) -> bytes:
        """Loads as a program; raises :class:`Killed`."""
        return b"".join(
            self.ram.read(self.cpu.translate(space, at, Access.LOAD), size)
            for at, size in pieces(va, count)
        )

    def store(self, space: AddressSpace, va: int, data: bytes) -> None:
        for at, size in pieces(va, len(data)):
            self.ram.write(
                self.cpu.translate(space, at, Access.STORE), data[at - va : at - va + size]
            )

    def fetch(self, space: AddressSpace, va: int) -> bytes:
        return self.ram.read(self.cpu.translate(space, va, Access.FETCH), 2)

    def access(self, space: AddressSpace, va: int, access: Access) -> Outcome | None:
        """Outcome of the fault of one access; None without a fault."""
        before = len(self.outcomes)
        try:
            self.cpu.translate(space, va, access)
        except Killed as refused:
            return refused.outcome
        return self.outcomes[-1] if len(self.outcomes) > before else None


def pieces(va: int, count: int) -> list[tuple[int, int]]:
    found, end = [], va + count
    while va < end:
        size = min(PAGE_SIZE - (va & PAGE_MASK), end - va)
        found.append((va, size))
        va += size
    return found


def anonymous(space: AddressSpace, pages: int, prot: Prot = RW, at: int = BASE) -> Vma:
    """A private anonymous mapping."""
    vma = Vma(at, at + pages * PAGE_SIZE, prot)
    space.add(vma)
    found = space.find(at)
    assert found is not None
    return found


def mapped_file(
    world: World,
    space: AddressSpace,
    node: Any,
    pages: int,
    prot: Prot = RW,
    at: int = BASE,
    *,
    shared: bool = False,
    offset: int = 0,
) -> Any:
    """The FilePages of ``node``, now mapped at ``at``."""
    backing = world.cache.pages_of(node)
    space.add(Vma(at, at + pages * PAGE_SIZE, prot, shared=shared, backing=backing, offset=offset))
    return backing


def user_memory(space: AddressSpace, resolutions: list[Resolution] | None = None) -> UserMemory:
    return UserMemory(
        space, lambda _, fault: resolutions.append(fault) if resolutions is not None else None
    )


class Caller:
    """The thread of a system call on memory: a space and the state that the calls use."""

    def __init__(self, world: World, space: AddressSpace) -> None:
        self.mem = user_memory(space)
        self.kernel = SimpleNamespace(
            frames=world.frames,
            cache=world.cache,
            huge_pool=HugePool(world.frames, 0),
            requests=False,
            new_library=None,
        )
        space.limits = Limits()
        self.process = SimpleNamespace(space=space, limits=space.limits)
        self.files = SimpleNamespace(get_usable=lambda fd: fd)

    def __getattr__(self, name: str) -> Any:
        """``caller.mmap(…)`` is the system call."""
        call = _CALLS[name]
        return lambda *arguments: call(self, *arguments)

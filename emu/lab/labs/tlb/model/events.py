"""Events of the lab ``tlb``'s model."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from emu.lab.kit import COW
from emu.lab.labs.tlb.model.fence_rules import reach
from emu.lab.labs.tlb.model.kernel import Kernel
from emu.lab.labs.tlb.model.machine import Key, Machine, Space, page_at
from emu.machine.pte import A, D, G, R, U, V, W, X, is_leaf, make_pte, ppn

USER_PAGE = V | R | W | U | A | D
KERNEL_PAGE = V | R | W | G | A | D
RIGHTS = {
    "rw-": V | R | W | U | A | D,
    "r--": V | R | U | A,
    "r-x": V | R | X | U | A,
    "---": V | R | A,
}
"""PTE flags for a page after mprotect(2). Without rights the page stays mapped, without U."""


class Event(Protocol):
    """One step of a sequence."""

    def is_possible(self, machine: Machine) -> bool:
        """True if the event can occur in this state."""

    def apply(self, kernel: Kernel) -> None:
        """Changes the kernel's machine."""


class Run(NamedTuple):
    """A hart switches to a process, which may run on the other hart too (it has two threads)."""

    hart: int
    pid: int

    def __str__(self) -> str:
        return f"hart {self.hart} runs pid {self.pid}"

    def is_possible(self, machine: Machine) -> bool:
        return self.pid in machine.spaces and machine.running[self.hart] != self.pid

    def apply(self, kernel: Kernel) -> None:
        kernel.run(self.hart, self.pid)


class Fork(NamedTuple):
    """fork(2): shares every page, and removes W."""

    pid: int

    def __str__(self) -> str:
        return f"pid {self.pid} forks: its writable pages are shared with the child"

    def is_possible(self, machine: Machine) -> bool:
        return machine.hart_of(self.pid) is not None and _has_room(machine)

    def apply(self, kernel: Kernel) -> None:
        machine = kernel.machine
        parent, child = machine.spaces[self.pid], machine.new_space()
        assert child is not None
        for key, pte in sorted(parent.ptes.items(), key=lambda item: -item[0].level):
            if not is_leaf(pte):
                child.ptes[key] = make_pte(machine.free_frame(), V)
                continue
            shared = pte & ~W | COW if pte & W else pte
            child.ptes[key] = shared
            kernel.change(parent, key, shared)


class Store(NamedTuple):
    """A store to a page that is shared by fork: a fault, which copies or reuses the page."""

    pid: int
    address: int

    def __str__(self) -> str:
        return f"pid {self.pid} stores to {self.address:#x}: a page fault copies or reuses the page"

    def is_possible(self, machine: Machine) -> bool:
        if machine.hart_of(self.pid) is None:
            return False
        pte = page_at(machine.spaces[self.pid].ptes, self.address)
        return pte is not None and bool(pte & COW)

    def apply(self, kernel: Kernel) -> None:
        machine = kernel.machine
        space = machine.spaces[self.pid]
        pte = page_at(space.ptes, self.address)
        assert pte is not None
        flags = pte & 0x3FF & ~COW | W | D
        frame = ppn(pte)
        if len(machine.users(frame)) > 1:
            frame = machine.free_frame()
        region = Key(1, self.address & -reach(1))
        if is_leaf(space.ptes[region]):
            _split(kernel, space, region, self.address, make_pte(frame, flags))
        else:
            kernel.change(space, Key(0, self.address), make_pte(frame, flags))


def _split(kernel: Kernel, space: Space, region: Key, address: int, pte: int) -> None:
    """A table replaces a superpage (the model has two pages of it), with one page changed."""
    pages = (region.address, region.address + 0x1000)
    old = {page: page_at(space.ptes, page) for page in pages}
    ptes = {Key(0, page): value for page, value in old.items() if value is not None}
    space.ptes |= ptes | {Key(0, address): pte}
    kernel.change(space, region, make_pte(kernel.machine.free_frame(), V))


class Protect(NamedTuple):
    """mprotect(2) of one page."""

    pid: int
    address: int
    rights: str

    def __str__(self) -> str:
        return f"pid {self.pid} calls mprotect: {self.address:#x} becomes {self.rights}"

    def is_possible(self, machine: Machine) -> bool:
        pte = _leaf(machine, self.pid, self.address)
        return pte is not None and pte & 0x3FF != RIGHTS[self.rights]

    def apply(self, kernel: Kernel) -> None:
        space = kernel.machine.spaces[self.pid]
        key = Key(0, self.address)
        kernel.change(space, key, make_pte(ppn(space.ptes[key]), RIGHTS[self.rights]))


class Unmap(NamedTuple):
    """munmap(2) of one page, which frees its frame."""

    pid: int
    address: int

    def __str__(self) -> str:
        return f"pid {self.pid} unmaps {self.address:#x}"

    def is_possible(self, machine: Machine) -> bool:
        return _leaf(machine, self.pid, self.address) is not None

    def apply(self, kernel: Kernel) -> None:
        kernel.change(kernel.machine.spaces[self.pid], Key(0, self.address), 0)


class Unlink(NamedTuple):
    """munmap(2) of a leaf table's range: clears the pointer, and frees the table and the pages."""

    pid: int
    address: int

    def __str__(self) -> str:
        end = self.address + reach(1)
        return (
            f"pid {self.pid} unmaps {self.address:#x} to {end:#x}: the leaf table is unlinked; it "
            "and its pages are free"
        )

    def is_possible(self, machine: Machine) -> bool:
        return _has_table(machine, self.pid, self.address)

    def apply(self, kernel: Kernel) -> None:
        space = kernel.machine.spaces[self.pid]
        _drop_pages(space, self.address)
        kernel.change(space, Key(1, self.address), 0)


class Collapse(NamedTuple):
    """The pages of a leaf table are copied to a superpage; the pages and the table are freed."""

    pid: int
    address: int

    def __str__(self) -> str:
        return f"the kernel makes pid {self.pid}'s pages from {self.address:#x} a superpage"

    def is_possible(self, machine: Machine) -> bool:
        if not _has_table(machine, self.pid, self.address):
            return False
        ptes = machine.spaces[self.pid].ptes
        return any(key.level == 0 and _in(self.address, key) for key in ptes)

    def apply(self, kernel: Kernel) -> None:
        space = kernel.machine.spaces[self.pid]
        _drop_pages(space, self.address)
        frame = kernel.machine.free_superpage()
        kernel.change(space, Key(1, self.address), make_pte(frame, USER_PAGE))


class Touch(NamedTuple):
    """The first store to a page, which gets a free frame."""

    pid: int
    address: int

    def __str__(self) -> str:
        return f"pid {self.pid} first stores to {self.address:#x}: the page gets a free frame"

    def is_possible(self, machine: Machine) -> bool:
        if machine.hart_of(self.pid) is None:
            return False
        return page_at(machine.spaces[self.pid].ptes, self.address) is None

    def apply(self, kernel: Kernel) -> None:
        machine = kernel.machine
        space = machine.spaces[self.pid]
        region = Key(1, self.address & -reach(1))
        if region not in space.ptes:
            kernel.change(space, region, make_pte(machine.free_frame(), V))
        kernel.change(space, Key(0, self.address), make_pte(machine.free_frame(), USER_PAGE))


class Clean(NamedTuple):
    """A page of a file is written back: the next store must set D again."""

    pid: int
    address: int

    def __str__(self) -> str:
        return (
            f"the kernel clears D of pid {self.pid}'s {self.address:#x}, and writes the page to "
            "its file"
        )

    def is_possible(self, machine: Machine) -> bool:
        pte = _leaf(machine, self.pid, self.address)
        return pte is not None and bool(pte & D)

    def apply(self, kernel: Kernel) -> None:
        space = kernel.machine.spaces[self.pid]
        key = Key(0, self.address)
        kernel.change(space, key, space.ptes[key] & ~D)


class Start(NamedTuple):
    """Start of a process with nothing mapped."""

    def __str__(self) -> str:
        return "a new process starts"

    def is_possible(self, machine: Machine) -> bool:
        return _has_room(machine)

    def apply(self, kernel: Kernel) -> None:
        kernel.machine.new_space()


class Exit(NamedTuple):
    """exit(2): the process ends; the student's functions are not called for its PTEs."""

    pid: int

    def __str__(self) -> str:
        return f"pid {self.pid} exits: its frames, its tables and its ASID are free"

    def is_possible(self, machine: Machine) -> bool:
        return self.pid in machine.spaces

    def apply(self, kernel: Kernel) -> None:
        machine = kernel.machine
        del machine.spaces[self.pid]
        machine.running = [None if pid == self.pid else pid for pid in machine.running]


class KernelFrees(NamedTuple):
    """The kernel unmaps a page of its own (vfree)."""

    address: int

    def __str__(self) -> str:
        return f"the kernel unmaps its own page {self.address:#x}; the frame is free"

    def is_possible(self, machine: Machine) -> bool:
        return Key(0, self.address) in machine.shared

    def apply(self, kernel: Kernel) -> None:
        kernel.change(None, Key(0, self.address), 0)


def _leaf(machine: Machine, pid: int, address: int) -> int | None:
    space = machine.spaces.get(pid)
    return None if space is None else space.ptes.get(Key(0, address))


def _has_table(machine: Machine, pid: int, address: int) -> bool:
    space = machine.spaces.get(pid)
    pointer = None if space is None else space.ptes.get(Key(1, address))
    return pointer is not None and not is_leaf(pointer)


def _drop_pages(space: Space, region: int) -> None:
    for key in [key for key in space.ptes if key.level == 0 and _in(region, key)]:
        del space.ptes[key]


def _in(region: int, key: Key) -> bool:
    return region <= key.address < region + reach(1)


_MAX_PROCESSES = 3
"""Maximum number of processes at a time."""


def _has_room(machine: Machine) -> bool:
    used = {space.asid for space in machine.spaces.values()}
    return len(machine.spaces) < _MAX_PROCESSES and (not machine.asids or len(used) < machine.asids)

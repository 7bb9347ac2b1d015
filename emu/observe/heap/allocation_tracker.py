"""Tracker of heap allocations: watches malloc and related functions as they run.

The functions are found by name in a program that defines them, or in a C library when it is mapped.
Each is watched at its entry, where size and caller are known, and at each of its return
instructions, where a0 has the block. If it ends with a jump to another function (glibc's calloc
to memset), its return address is also watched from the first such jump on. Blocks that were
allocated before the library was mapped are unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emu.machine.registers import A0, RA, SP
from emu.observe.heap.blocks import Block, Blocks
from emu.observe.heap.function_exits import find_exits
from emu.observe.model.guest_memory import peek
from emu.observe.symbols.elf_file import ElfFile
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.file_pages import mapped_file
from kernel.mm.mappings.vma import Prot
from kernel.process.process import Process, Thread
from kernel.vfs.core.inode import Inode

_LARGEST_FUNCTION = 1 << 14
_NAMES = ("malloc", "calloc", "realloc", "free", "memalign", "aligned_alloc", "posix_memalign")

Callers = Callable[[Thread, int], list[int]]
"""Finds the return addresses of the calls that a running thread is in at a pc."""


class _Functions(NamedTuple):
    """The watched instructions of a file, as offsets in it."""

    entries: dict[int, str]
    returns: set[int]
    jumps: set[int]


class _Call(NamedTuple):
    """An allocation that has not returned yet."""

    sp: int
    name: str
    arguments: tuple[int, int, int]
    return_address: int
    calls: tuple[int, ...]


class AllocationTracker:
    """Tracks the allocations of all processes. Its methods follow those of an observer."""

    def __init__(self, kernel: Kernel, callers: Callers) -> None:
        self._kernel = kernel
        self._callers = callers
        self._blocks: dict[AddressSpace, Blocks] = {}
        self._entries: dict[AddressSpace, dict[int, str]] = {}
        self._jumps: dict[AddressSpace, set[int]] = {}
        self._calls: dict[Thread, list[_Call]] = {}
        self._files: dict[int, tuple[Inode, _Functions]] = {}
        self._watchpoints: set[int] = set()

    def block(self, space: AddressSpace, address: int) -> Block | None:
        blocks = self._blocks.get(space)
        return blocks.find(address) if blocks is not None else None

    # Address spaces.

    def execed(self, process: Process) -> None:
        space = process.space
        self.mapped(space, 0, 1 << 63)

    def mapped(self, space: AddressSpace, start: int, end: int) -> None:
        """Looks for the functions in the code that is new in [start, end)."""
        for vma in space.overlapping(start, end):
            inode = mapped_file(vma.backing)
            if inode is not None and vma.prot & Prot.EXEC:
                self._watch_functions(space, vma.start - vma.offset, inode)

    def _watch_functions(self, space: AddressSpace, load: int, inode: Inode) -> None:
        """Watches the functions of a file whose byte 0 is mapped at ``load``."""
        functions = self._functions(inode)
        if not functions.entries:
            return
        entries = self._entries.setdefault(space, {})
        entries.update({load + offset: name for offset, name in functions.entries.items()})
        jumps = {load + offset for offset in functions.jumps}
        self._jumps.setdefault(space, set()).update(jumps)
        for address in [*entries, *jumps, *(load + offset for offset in functions.returns)]:
            self._watch(address)

    def _watch(self, address: int) -> None:
        if address not in self._watchpoints:
            self._watchpoints.add(address)
            self._kernel.hart.watch(address, self._instruction_reached)

    def _functions(self, inode: Inode) -> _Functions:
        cached = self._files.get(id(inode))
        if cached is None:
            cached = self._files[id(inode)] = inode, _functions(inode.read_at(0, inode.size))
        return cached[1]

    def forked(self, parent: AddressSpace, child: AddressSpace) -> None:
        if parent in self._entries:
            self._entries[child] = dict(self._entries[parent])
            self._jumps[child] = set(self._jumps[parent])
        if parent in self._blocks:
            self._blocks[child] = self._blocks[parent].copy()

    def discarding(self, space: AddressSpace) -> None:
        self._blocks.pop(space, None)
        self._entries.pop(space, None)
        self._jumps.pop(space, None)

    # While the program runs.

    def _instruction_reached(self, pc: int) -> None:
        """Handles a watched instruction of the running thread, before it is executed."""
        thread = self._kernel.current
        if thread is None:
            return
        space = thread.process.space
        entries = self._entries.get(space)
        if entries is None:
            return
        name = entries.get(pc)
        if name is None:
            self._function_left(thread, space, pc)
        elif name == "free":
            self._blocks.setdefault(space, Blocks()).remove(self._kernel.hart.read(A0))
        else:
            self._function_entered(thread, name, pc)
            if pc in self._jumps[space]:  # the function is just a jump to another
                self._function_left(thread, space, pc)

    def _function_entered(self, thread: Thread, name: str, pc: int) -> None:
        read = self._kernel.hart.read
        sp, arguments = read(SP), (read(A0), read(A0 + 1), read(A0 + 2))
        calls = self._calls.setdefault(thread, [])
        while calls and calls[-1].sp <= sp:  # it ended by a jump to this one, or by longjmp
            calls.pop()
        calls.append(_Call(sp, name, arguments, read(RA), tuple(self._callers(thread, pc))))

    def _function_left(self, thread: Thread, space: AddressSpace, pc: int) -> None:
        calls, read = self._calls.get(thread), self._kernel.hart.read
        if not calls or calls[-1].sp != read(SP):
            return
        if pc in self._jumps[space]:
            self._watch(calls[-1].return_address)
            return
        call = calls.pop()
        if not calls:
            del self._calls[thread]
        blocks = self._blocks.setdefault(space, Blocks())
        start, size = _allocated_block(call, read(A0), space)
        if start:
            if call.name == "realloc":
                blocks.remove(call.arguments[0])
            blocks.add(Block(start, size, call.calls))


def _allocated_block(call: _Call, a0: int, space: AddressSpace) -> tuple[int, int]:
    """Returns the address of the new block, 0 if there is none, and its size."""
    first, second, third = call.arguments
    match call.name:
        case "malloc":
            return a0, first
        case "calloc":
            return a0, first * second
        case "posix_memalign":
            data = peek(space, first, 8) if a0 == 0 else None
            return int.from_bytes(data or b"", "little"), third
    return a0, second


def _functions(data: bytes) -> _Functions:
    """Finds entries and exits of the allocation functions, as offsets in the file."""
    symbols = ElfFile(data)
    found = _Functions({}, set(), set())
    for name in _NAMES:
        symbol = symbols.find(name)
        start = symbols.offset(symbol.address) if symbol is not None else None
        if symbol is None or start is None:
            continue
        found.entries[start] = name
        found_exits = find_exits(data[start : start + min(symbol.size, _LARGEST_FUNCTION)])
        found.returns.update(start + at for at in found_exits.returns)
        found.jumps.update(start + at for at in found_exits.jumps)
    return found

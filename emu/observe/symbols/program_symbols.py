"""A program's symbols, and their addresses in a process that runs it."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import TYPE_CHECKING

from emu.machine.pte import PAGE_MASK, VA_MASK
from emu.observe.dwarf.search_path import debug_files_in
from emu.observe.model.guest_memory import file_content
from emu.observe.model.records import text
from emu.observe.symbols.elf_file import ElfFile
from kernel.mm.backing.file_pages import mapped_file

if TYPE_CHECKING:
    from kernel.process.process import Process
    from kernel.vfs.core.inode import Inode

_AT_BASE, _AT_ENTRY = 7, 9


class NoSymbol(Exception):
    """The program does not have the symbol; the message is one line."""


class ProgramSymbols:
    """The symbol table of the ELF file that ``process`` runs (elf(5)).

    Other processes may run the same file at different addresses. Symbols that it lacks are searched
    in the other files that a process has mapped: its interpreter and its libraries.
    """

    def __init__(self, process: Process) -> None:
        self._inode = process.program.inode
        self._path = process.program.path
        self._debug = debug_files_in(process.fs.namespace)
        self._others: dict[int, tuple[Inode, ElfFile]] = {}

    def belong_to(self, process: Process) -> bool:
        """True if the process runs the file of these symbols."""
        return process.program.path == self._path

    def address(self, name: str, process: Process) -> int:
        """Address of the symbol in ``process``. Raises :class:`NoSymbol`."""
        return self.extent(name, process)[0]

    def extent(self, name: str, process: Process) -> tuple[int, int]:
        """Extent [start, end) of the symbol; empty if its size is unknown. Raises
        :class:`NoSymbol`.
        """
        found = self._elf.find_all(name)
        elsewhere = None if found else self._elsewhere(name, process)
        if elsewhere is not None:
            return elsewhere
        if not found:
            none_at_all = "" if self._elf.has_symbols else " (the file has no symbol table)"
            raise NoSymbol(f"{text(self._path)}: no symbol {name!r}{none_at_all}")
        if len({symbol.address for symbol in found}) > 1:
            places = ", ".join(f"{at:#x}" for at in sorted(symbol.address for symbol in found))
            raise NoSymbol(f"{text(self._path)}: several symbols {name!r} (at {places})")
        start = found[0].address + self._bias(process) & VA_MASK
        return start, start + found[0].size

    def _elsewhere(self, name: str, process: Process) -> tuple[int, int] | None:
        """The extent in the first other mapped file that has the symbol."""
        for vma in process.space.vmas:
            inode = mapped_file(vma.backing)
            if inode is None or inode is self._inode:
                continue
            elf = self._file(inode, vma.name)
            symbol = elf.find(name)
            if symbol is None:
                continue
            for address, offset, _ in elf.segments:
                if offset & ~PAGE_MASK == vma.offset:
                    start = symbol.address + vma.start - (address & ~PAGE_MASK) & VA_MASK
                    return start, start + symbol.size
        return None

    def _file(self, inode: Inode, path: str) -> ElfFile:
        known = self._others.get(id(inode))
        if known is None:
            known = self._others[id(inode)] = inode, self._read(file_content(inode), path)
        return known[1]

    def _read(self, data: bytes, path: str) -> ElfFile:
        return ElfFile(data, self._debug.linked(data, path))

    def _bias(self, process: Process) -> int:
        """Load bias of a position-independent program."""
        own = self._elf.entry
        return _auxiliary(process, _AT_ENTRY, own) - own

    @cached_property
    def _elf(self) -> ElfFile:
        inode = self._inode
        return self._read(inode.read_at(0, inode.size) if inode is not None else b"", self._path)


def loads_libraries(process: Process) -> bool:
    """True if the process has an interpreter, which may map libraries."""
    return _auxiliary(process, _AT_BASE, 0) != 0


def _auxiliary(process: Process, wanted: int, otherwise: int) -> int:
    words = struct.iter_unpack("<QQ", process.program.auxv)
    return int(next((value for kind, value in words if kind == wanted), otherwise))

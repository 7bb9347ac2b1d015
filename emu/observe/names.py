"""A program's symbols, and where they are in a process that runs it."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import TYPE_CHECKING

from emu.machine.pte import VA_MASK
from emu.observe.elf import ElfFile

if TYPE_CHECKING:
    from kernel.process import Process

_AT_ENTRY = 9


class NoSymbol(Exception):
    """The program has no such symbol; the message says so in a line."""


class ProgramSymbols:
    """The symbol table of the ELF file that ``process`` runs (elf(5)).

    Other processes may run the same file, and each its own place of it.
    """

    def __init__(self, process: Process) -> None:
        self._inode = process.program.inode
        self._path = process.program.path

    def belong_to(self, process: Process) -> bool:
        """Whether the process runs the file that these symbols are of."""
        return process.program.path == self._path

    def address(self, name: str, process: Process) -> int:
        """Where the symbol is in the memory of ``process``. Raises :class:`NoSymbol`."""
        return self.extent(name, process)[0]

    def extent(self, name: str, process: Process) -> tuple[int, int]:
        """[start, end) of what the symbol names; empty if its size is not known. NoSymbol."""
        found = self._elf.find_all(name)
        if not found:
            none_at_all = "" if self._elf.has_symbols else ": it has no symbol table"
            raise NoSymbol(f"{self._path} has no symbol {name!r}{none_at_all}")
        if len({symbol.address for symbol in found}) > 1:
            places = ", ".join(f"{at:#x}" for at in sorted(symbol.address for symbol in found))
            raise NoSymbol(f"{self._path} has several symbols {name!r}, at {places}")
        start = found[0].address + self._bias(process) & VA_MASK
        return start, start + found[0].size

    def _bias(self, process: Process) -> int:
        """What a position-independent program's addresses are moved by."""
        own = self._elf.entry
        words = struct.iter_unpack("<QQ", process.program.auxv)
        return int(next((value for kind, value in words if kind == _AT_ENTRY), own)) - own

    @cached_property
    def _elf(self) -> ElfFile:
        inode = self._inode
        return ElfFile(inode.read_at(0, inode.size) if inode is not None else b"")

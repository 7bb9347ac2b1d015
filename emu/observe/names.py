"""A program's symbols, and where they are in a process that runs it."""

from __future__ import annotations

import io
import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any

from emu.machine.pte import VA_MASK

if TYPE_CHECKING:
    from kernel.process import Process
    from kernel.vfs.inode import Inode

_TABLES = (".symtab", ".dynsym")
_KINDS = ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE", "STT_GNU_IFUNC")
_AT_ENTRY = 9


class NoSymbol(Exception):
    """The program has no such symbol; the message says so in a line."""


class Symbols:
    """The symbol table of the ELF file that ``process`` runs (elf(5)).

    Other processes may run the same file, and each its own place of it.
    """

    def __init__(self, process: Process) -> None:
        self._inode: Inode | None = process.program.inode
        self._path = process.program.path

    def belong_to(self, process: Process) -> bool:
        """Whether the process runs the file that these symbols are of."""
        return process.program.path == self._path

    def address(self, name: str, process: Process) -> int:
        """Where the symbol is in the memory of ``process``. Raises :class:`NoSymbol`."""
        return self.extent(name, process)[0]

    def extent(self, name: str, process: Process) -> tuple[int, int]:
        """[start, end) of what the symbol names; empty if its size is not known. NoSymbol."""
        found = self._found.get(name)
        if not found:
            none_at_all = "" if self._found else ": it has no symbol table"
            raise NoSymbol(f"{self._path} has no symbol {name!r}{none_at_all}")
        if len(found) > 1:
            places = ", ".join(f"{at:#x}" for at in sorted(found.keys()))
            raise NoSymbol(f"{self._path} has several symbols {name!r}, at {places}")
        at, size = next(iter(found.items()))
        start = at + self._bias(process) & VA_MASK
        return start, start + size

    def _bias(self, process: Process) -> int:
        """What a position-independent program's addresses are moved by."""
        words = struct.iter_unpack("<QQ", process.program.auxv)
        entry = next((value for kind, value in words if kind == _AT_ENTRY), self._entry)
        return int(entry) - self._entry

    @cached_property
    def _elf(self) -> Any:
        from elftools.elf.elffile import ELFFile  # it takes longer than many a guest

        inode = self._inode
        return ELFFile(io.BytesIO(inode.read_at(0, inode.size) if inode is not None else b""))

    @cached_property
    def _entry(self) -> int:
        return int(self._elf.header.e_entry)

    @cached_property
    def _found(self) -> dict[str, dict[int, int]]:
        """Each name's addresses with sizes: those of global symbols, else of the files' own."""
        try:
            return self._read()
        except Exception as error:  # the reader has many ways to say that a file is damaged
            raise NoSymbol(f"{self._path}: its symbol table can't be read") from error

    def _read(self) -> dict[str, dict[int, int]]:
        public: dict[str, dict[int, int]] = {}
        local: dict[str, dict[int, int]] = {}
        for symbol in self._all():
            scope = local if symbol.entry.st_info.bind == "STB_LOCAL" else public
            entry = symbol.entry
            scope.setdefault(symbol.name, {})[int(entry.st_value)] = int(entry.st_size)
        return local | public

    def _all(self) -> list[Any]:
        for name in _TABLES:
            table = self._elf.get_section_by_name(name)
            if table is not None and hasattr(table, "iter_symbols"):
                return [symbol for symbol in table.iter_symbols() if _has_a_place(symbol)]
        return []


def _has_a_place(symbol: Any) -> bool:
    entry = symbol.entry
    return bool(symbol.name) and entry.st_shndx != "SHN_UNDEF" and entry.st_info.type in _KINDS

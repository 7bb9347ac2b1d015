"""The page that a user names with ``--at``: an address, or a symbol of the program."""

from __future__ import annotations

from emu.observe.model.records import Exec
from emu.observe.symbols.address_expression import parse_address
from emu.observe.symbols.elf_file import ElfFile


class NoTarget(ValueError):
    """It names nothing; the message says why, in a line."""


class Target:
    """``0x7b000``, ``counter`` or ``counter+0x10``. Raises :class:`NoTarget`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = 0
        """Of what the symbol names, in bytes; 0 when it is not known."""
        try:
            named = parse_address(text)
        except ValueError as error:
            raise NoTarget(str(error)) from None
        if named.register is not None:
            raise NoTarget(f"{text!r} is a register, and has no story")
        self.symbol = named.symbol or ""
        self.address = named.offset

    def locate(self, image: Exec, data: bytes) -> int:
        """The address in a process with ``image``, whose file holds ``data``."""
        if not self.symbol:
            return self.address
        elf = ElfFile(data)
        found = elf.find(self.symbol)
        if found is None:
            raise NoTarget(f"{image.path} has no symbol {self.symbol!r}")
        self.size = found.size
        return bias(image, elf) + found.address + self.address


def bias(image: Exec, elf: ElfFile) -> int:
    """How far from its own addresses the program of ``image`` was loaded."""
    starts = [mapped.start for mapped in image.maps if mapped.name == image.path]
    return min(starts, default=elf.base) - elf.base

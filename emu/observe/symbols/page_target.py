"""The page that a user selects with ``--at``: by an address or a symbol of the program."""

from __future__ import annotations

from emu.observe.model.records import Exec
from emu.observe.symbols.address_expression import InvalidAddress, parse_address
from emu.observe.symbols.elf_file import ElfFile


class Target:
    """Such as ``0x7b000``, ``counter`` or ``counter+0x10``. Raises :class:`InvalidAddress`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = 0
        """Size of the symbol in bytes; 0 if unknown."""
        named = parse_address(text)
        if named.register is not None:
            raise InvalidAddress(f"{text!r}: is a register (expected an address or a symbol)")
        self.symbol = named.symbol or ""
        self.address = named.offset

    def locate(self, image: Exec, data: bytes) -> int:
        """The address in a process with ``image``, whose file contains ``data``."""
        if not self.symbol:
            return self.address
        elf = ElfFile(data)
        found = elf.find(self.symbol)
        if found is None:
            raise InvalidAddress(f"{image.path}: no symbol {self.symbol!r}")
        self.size = found.size
        return bias(image, elf) + found.address + self.address


def bias(image: Exec, elf: ElfFile) -> int:
    """Load bias: the difference between addresses in memory and in the program's file."""
    starts = [mapped.start for mapped in image.maps if mapped.name == image.path]
    return min(starts, default=elf.base) - elf.base

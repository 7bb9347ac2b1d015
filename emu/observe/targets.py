"""What a user names with ``--at``: an address, or a symbol of the program, as an address."""

from __future__ import annotations

import re

from emu.observe.elfsymbols import ElfSymbols
from emu.observe.records import Exec

_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]+|\d+")
_SYMBOL = re.compile(r"(?P<name>.+?)(?:\+(?P<offset>0[xX][0-9a-fA-F]+|\d+))?")
_MOST = (1 << 64) - 1


class NoTarget(ValueError):
    """It names nothing; the message says why, in a line."""


class Target:
    """``0x7b000``, ``counter`` or ``counter+0x10``. Raises :class:`NoTarget`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.symbol = ""
        self.size = 0
        """Of what the symbol names, in bytes; 0 when it is not known."""
        if _ADDRESS.fullmatch(text):
            self.address = int(text, 0 if text[:2].lower() == "0x" else 10)
        else:
            match = _SYMBOL.fullmatch(text)
            if match is None:
                raise NoTarget(f"no address and no symbol: {text!r}")
            self.symbol = match["name"]
            self.address = int(match["offset"] or "0", 0)
        if self.address > _MOST:
            raise NoTarget(f"beyond 64 bits: {text!r}")

    def locate(self, image: Exec, data: bytes) -> int:
        """The address in a process with ``image``, whose file holds ``data``."""
        if not self.symbol:
            return self.address
        elf = ElfSymbols(data)
        found = elf.find(self.symbol)
        if found is None:
            raise NoTarget(f"{image.path} has no symbol {self.symbol!r}")
        self.size = found.size
        return bias(image, elf) + found.address + self.address


def bias(image: Exec, elf: ElfSymbols) -> int:
    """How far from its own addresses the program of ``image`` was loaded."""
    starts = [mapped.start for mapped in image.maps if mapped.name == image.path]
    return min(starts, default=elf.base) - elf.base

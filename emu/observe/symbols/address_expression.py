"""Addresses given by a user: a number, a register or a symbol, optionally with an offset."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emu.errors import CommandError
from emu.machine.pte import VA_MASK
from emu.machine.registers import F0, NAMES
from emu.observe.symbols.program_symbols import NoSymbol, ProgramSymbols

if TYPE_CHECKING:
    from emu.machine.hart import Hart
    from kernel.process.process import Process

_FORM = re.compile(r"(?P<base>[^+-]+)(?P<offset>[+-](?:0[xX][0-9a-fA-F]+|[0-9]+))?")


class InvalidAddress(CommandError):
    """The text does not name an address; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """A parsed address: ``register`` or ``symbol`` plus ``offset``; without either, ``offset``
    alone.
    """

    text: str
    offset: int
    register: int | None = None
    symbol: str | None = None

    def address(self, symbols: ProgramSymbols, process: Process, hart: Hart) -> int:
        """The address in ``process``; ``hart`` runs it if a register is named.

        Raises :class:`emu.observe.symbols.program_symbols.NoSymbol`.
        """
        base = 0
        if self.register is not None:
            base = hart.read(self.register)
        elif self.symbol is not None:
            if not symbols.belong_to(process):
                raise NoSymbol(
                    f"{self.symbol!r}: unknown symbol ({process!r} runs another program)"
                )
            base = symbols.address(self.symbol, process)
        return base + self.offset & VA_MASK


def parse_number(text: str, *, hexadecimal: bool = False) -> int:
    """Parses an address; with ``hexadecimal``, ``0x`` is optional. Raises InvalidAddress."""
    try:
        value = int(text, 16 if hexadecimal or text[:2] in ("0x", "0X") else 10)
    except ValueError:
        value = -1
    if not 0 <= value <= VA_MASK or "_" in text:
        raise InvalidAddress(f"{text!r}: not an address (expected a number such as 0x1000)")
    return value


def parse_address(text: str, *, hexadecimal: bool = False) -> NamedAddress:
    """Parses an address expression. Raises :class:`InvalidAddress`.

    A number is decimal unless it starts with ``0x`` or ``hexadecimal`` is set.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidAddress(f"{text!r}: not an address (expected such as 0x1000 or main+0x10)")
    base, more = match["base"], match["offset"]
    offset = int(more, 0 if "x" in more.lower() else 10) if more else 0
    if base[0].isdigit():
        return NamedAddress(text, parse_number(base, hexadecimal=hexadecimal) + offset)
    if base in NAMES[:F0]:
        return NamedAddress(text, offset, register=NAMES.index(base))
    return NamedAddress(text, offset, symbol=base)

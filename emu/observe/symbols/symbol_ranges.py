"""Address ranges given by a user as a symbol of the program: SYMBOL or SYMBOL+LEN."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emu.observe.symbols.program_symbols import NoSymbol, ProgramSymbols
from kernel.process.observer import Observer
from kernel.process.process import Process

_FORM = re.compile(r"(?P<symbol>[^\d+][^+]*)(?:\+(?P<length>0[xX][0-9a-fA-F]+|[0-9]+))?")


@dataclass(frozen=True, slots=True)
class NamedRange:
    """``length`` bytes from the symbol on, or its whole extent if ``length`` is 0."""

    symbol: str
    length: int = 0

    def within(self, symbols: ProgramSymbols, process: Process) -> tuple[int, int]:
        """The range [start, end) in the process. Raises :class:`NoSymbol`."""
        start, end = symbols.extent(self.symbol, process)
        end = start + self.length if self.length else end
        if start == end:
            raise NoSymbol(f"{self.symbol!r}: symbol without a size (expected {self.symbol}+LEN)")
        return start, end

    def __str__(self) -> str:
        return f"{self.symbol}+{self.length:#x}" if self.length else self.symbol


def parse_named_range(text: str) -> NamedRange | None:
    """Parses SYMBOL or SYMBOL+LEN; None for other texts."""
    match = _FORM.fullmatch(text)
    if match is None or (match["length"] and not int(match["length"], 0)):
        return None
    return NamedRange(match["symbol"], int(match["length"] or "0", 0))


class Locator(Observer):
    """Resolves ``ranges`` once the first program is loaded and passes them to ``found``.

    ``refuse`` is called with a message if a symbol is missing, and must raise.
    """

    def __init__(
        self,
        ranges: Sequence[NamedRange],
        found: Callable[[tuple[int, int]], object],
        refuse: Callable[[str], object],
    ) -> None:
        self._ranges = ranges
        self._found = found
        self._refuse = refuse

    def started(self, process: Process) -> None:
        symbols = ProgramSymbols(process)
        try:
            for each in self._ranges:
                self._found(each.within(symbols, process))
        except NoSymbol as error:
            self._refuse(str(error))

"""Observer that calls a user's functions at breakpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from emu.breakpoints.breakpoint import Breakpoint
from emu.observe.symbols.address_expression import InvalidAddress, NamedAddress, parse_address
from emu.observe.symbols.program_symbols import NoSymbol, ProgramSymbols
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.process.observer import Observer
from kernel.process.process import Process, Thread

Action: TypeAlias = Callable[[Breakpoint], object]
Place: TypeAlias = int | str
"""An address, or a text that names one, such as ``main`` or ``main+0x10``."""


class AtBreakpoints(Observer):
    """Calls the function of a place before a thread executes the instruction there.

    Symbols are searched in each program that runs and in the libraries that it maps. Raises
    :class:`InvalidAddress` for a text that does not name an address.
    """

    def __init__(self, breakpoints: Mapping[Place, Action], kernel: Kernel) -> None:
        self._actions = [(_parse(place), action) for place, action in breakpoints.items()]
        self._missing = {place for place, _ in self._actions}
        self._hits: Counter[tuple[int, NamedAddress]] = Counter()
        self._symbols: dict[str, ProgramSymbols] = {}
        self._kernel = kernel

    def check_found(self) -> None:
        """Called after the run: raises InvalidAddress if no program had one of the symbols."""
        for place in self._missing:
            raise InvalidAddress(f"{place.text!r}: unknown symbol (no program that ran has it)")

    def started(self, process: Process) -> None:
        self._watch(process)

    def execed(self, process: Process) -> None:
        self._watch(process)

    def mapped(self, space: AddressSpace, start: int, end: int) -> None:
        """Searches again: a library just mapped may define the symbols."""
        thread = self._kernel.current
        if self._missing and thread is not None and thread.process.space is space:
            self._watch(thread.process)

    def reached(self, thread: Thread, pc: int) -> None:
        process = thread.process
        for place, action in self._actions:
            if self._address(place, process) != pc:
                continue
            key = process.pid, place
            self._hits[key] += 1
            stop = Breakpoint(self._kernel, thread, pc, self._of(process), self._hits[key])
            try:
                action(stop)
            finally:
                stop.leave()

    def _watch(self, process: Process) -> None:
        for place, address in self._found(process):
            self._missing.discard(place)
            if address not in self._kernel.breakpoints.addresses:
                self._kernel.breakpoints.add(address)

    def _found(self, process: Process) -> Iterator[tuple[NamedAddress, int]]:
        for place, _ in self._actions:
            address = self._address(place, process)
            if address is not None:
                yield place, address

    def _address(self, place: NamedAddress, process: Process) -> int | None:
        try:
            return place.address(self._of(process), process, self._kernel.hart)
        except NoSymbol:
            return None

    def _of(self, process: Process) -> ProgramSymbols:
        path = process.program.path
        if path not in self._symbols:
            self._symbols[path] = ProgramSymbols(process)
        return self._symbols[path]


def _parse(place: Place) -> NamedAddress:
    named = NamedAddress(hex(place), place) if isinstance(place, int) else parse_address(place)
    if named.register is not None:
        raise InvalidAddress(f"{named.text!r}: no instruction (expected a symbol or a number)")
    return named

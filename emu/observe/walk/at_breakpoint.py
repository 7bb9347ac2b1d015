"""Observer that draws the walk of an address when a process reaches a location."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from emu.machine.cause import Access
from emu.observe.symbols.address_expression import NamedAddress
from emu.observe.symbols.program_symbols import NoSymbol, ProgramSymbols, loads_libraries
from emu.observe.walk.in_process import draw_in, walk_in
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.process.observer import Observer
from kernel.process.process import Process, Thread
from kernel.trap.run_loop import Stopped

REFUSED_STATUS = 2


class WalkAt(Observer):
    """Draws the walk once, then ends the run.

    ``at`` is the location of an instruction; None for the exit of the process. The walk is drawn at
    the ``hit``-th time that process ``pid`` reaches it; None: the first process that does so.
    """

    def __init__(
        self,
        at: NamedAddress | None,
        address: NamedAddress,
        access: Access,
        pid: int | None,
        hit: int,
        kernel: Kernel,
    ) -> None:
        self.at, self.address = at, address
        self.access = access
        self.pid, self.hit = pid, hit
        self.lines: list[str] = []
        """The drawing; empty until it has been made."""
        self.refused = False
        """True when the request was invalid; the run has reported the reason."""
        self.hits: Counter[int] = Counter()
        """Number of times that each process has reached the location."""
        self.missing = ""
        """Message about a symbol that no file mapped at the start defines; else empty."""
        self._symbols: ProgramSymbols
        self._kernel = kernel

    def started(self, process: Process) -> None:
        self._symbols = ProgramSymbols(process)
        try:
            if self.address.symbol is not None:
                self._locate(self.address, process)
            self._watch(process)
        except NoSymbol as error:
            if loads_libraries(process):
                self.missing = str(error)
                self._watch_if_found(process)
                return
            self._end(Stopped(REFUSED_STATUS, str(error)))
            self.refused = True

    def execed(self, process: Process) -> None:
        if self._symbols.belong_to(process):
            self._watch_if_found(process)

    def mapped(self, space: AddressSpace, start: int, end: int) -> None:
        """Resolves the symbols again: a library just mapped may define them."""
        if not self.missing:
            return
        thread = self._kernel.current
        if thread is not None and thread.process.space is space:
            self._watch_if_found(thread.process)

    def reached(self, thread: Thread, pc: int) -> None:
        process = thread.process
        if self._is_at_location(process, pc) and self._is_selected_hit(process):
            raise self._draw_and_stop(process, f"before the instruction at {pc:#x}")

    def leaving(self, process: Process) -> None:
        if self.at is not None or process.alive:
            return
        if self._symbols_apply(process) and self._is_selected_hit(process):
            self._end(self._draw_and_stop(process, "at its end"))

    def _watch(self, process: Process) -> None:
        if self.at is not None:
            self._kernel.breakpoints.add(self._locate(self.at, process))

    def _locate(self, named: NamedAddress, process: Process) -> int:
        return named.address(self._symbols, process, self._kernel.hart)

    def _watch_if_found(self, process: Process) -> None:
        with suppress(NoSymbol):
            self._watch(process)

    def _is_at_location(self, process: Process, pc: int) -> bool:
        """Returns True if ``pc`` is the location; another program may use the same address."""
        at = self.at
        if at is None or not self._symbols_apply(process):
            return False
        with suppress(NoSymbol):
            return self._locate(at, process) == pc
        return False

    def _symbols_apply(self, process: Process) -> bool:
        """Returns True if the symbols apply to the process, which may run another program."""
        named = any(place is not None and place.symbol for place in (self.at, self.address))
        return not named or self._symbols.belong_to(process)

    def _is_selected_hit(self, process: Process) -> bool:
        """Counts a hit of the process; returns True if it is the selected one."""
        self.hits[process.pid] += 1
        mine = self.pid in (None, process.pid)
        return mine and not self.lines and self.hits[process.pid] == self.hit

    def _draw_and_stop(self, process: Process, when: str) -> Stopped:
        """Draws the walk, and returns the status to end the run with."""
        try:
            self._draw(process, when)
        except NoSymbol as error:
            self.refused = True
            return Stopped(REFUSED_STATUS, str(error))
        return Stopped(0)

    def _draw(self, process: Process, when: str) -> None:
        va = self._locate(self.address, process)
        walk = walk_in(self._kernel, process, va, self.access)
        self.lines = draw_in(self._kernel, process, walk, when)

    def _end(self, stop: Stopped) -> None:
        """Ends the run before the next instruction."""

        def end() -> None:
            raise stop

        self._kernel.call_soon(end)

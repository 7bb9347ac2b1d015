"""A stop at a breakpoint: registers, memory and page tables of the thread that reached it."""

from __future__ import annotations

from typing import NoReturn

from emu.breakpoints.page_walk import PageWalk
from emu.breakpoints.registers import RegisterValues
from emu.machine.cause import Access
from emu.machine.registers import Registers
from emu.observe.model.guest_memory import peek_ahead
from emu.observe.symbols.address_expression import parse_address
from emu.observe.symbols.program_symbols import NoSymbol, ProgramSymbols
from emu.observe.walk.in_process import draw_in, walk_in
from kernel.kernel import Kernel
from kernel.process.process import Thread
from kernel.trap.run_loop import Stopped

_WORD = 8
_MOST = 1 << 30


class Breakpoint:
    """A thread before the instruction ``pc``.

    Memory is readable while the function that got it runs; the registers remain. Addresses are
    numbers, or texts such as ``counter+8``, ``sp`` or ``0x1000``. Nothing that is read here changes
    the guest: no page fault occurs, no A bit is set.
    """

    def __init__(
        self, kernel: Kernel, thread: Thread, pc: int, symbols: ProgramSymbols, hits: int
    ) -> None:
        registers = Registers()
        kernel.hart.save(registers)
        self.registers = RegisterValues(registers)
        self.pc = pc
        self.pid = thread.process.pid
        self.tid = thread.tid
        self.hits = hits
        """Number of times that this process has reached the breakpoint, this time included."""
        self._process = thread.process
        self._kernel: Kernel | None = kernel
        self._symbols = symbols

    def address(self, of: int | str) -> int:
        """The address that a text names. Raises LookupError for an unknown symbol."""
        if isinstance(of, int):
            return of
        try:
            hart = self._require_stop().hart
            return parse_address(of).address(self._symbols, self._process, hart)
        except NoSymbol as error:
            raise LookupError(str(error)) from None

    def read(self, address: int | str, size: int) -> bytes:
        """Reads memory as a load would. Raises ValueError if some of it is not mapped."""
        self._require_stop()
        start = self.address(address)
        if not 0 <= size <= _MOST:
            raise ValueError(f"size out of range: {size} (expected 0 to {_MOST})")
        data = peek_ahead(self._process.space, start, size)
        if data is None:
            raise ValueError(f"{start:#x}, {size} bytes: not mapped in pid {self.pid}")
        return data

    def read_int(self, address: int | str, size: int = _WORD, *, signed: bool = False) -> int:
        """Reads a little-endian integer of ``size`` bytes."""
        return int.from_bytes(self.read(address, size), "little", signed=signed)

    def read_string(self, address: int | str, most: int = 4096) -> bytes:
        """Reads the string at ``address`` up to its NUL, at most ``most`` bytes."""
        start, found = self.address(address), b""
        while len(found) < most:
            size = min(64 - (start + len(found)) % 64, most - len(found))
            part = self.read(start + len(found), size)
            if b"\0" in part:
                return found + part.partition(b"\0")[0]
            found += part
        return found

    def walk(self, address: int | str, access: str | Access = Access.LOAD) -> PageWalk:
        """Walks the page tables for a ``fetch``, ``load`` or ``store`` of ``address``."""
        kernel, va = self._require_stop(), self.address(address)
        kind = access if isinstance(access, Access) else _access(access)
        walk = walk_in(kernel, self._process, va, kind)
        when = f"before the instruction at {self.pc:#x}"
        return PageWalk(walk, draw_in(kernel, self._process, walk, when))

    def end_run(self, status: int = 0) -> NoReturn:
        """Ends the run here; its result has this status."""
        raise Stopped(status)

    def leave(self) -> None:
        """Called when the guest continues: from now on the memory may differ."""
        self._kernel = None

    def _require_stop(self) -> Kernel:
        if self._kernel is None:
            raise RuntimeError(
                "the guest has continued: read memory in the function of the breakpoint"
            )
        return self._kernel

    def __repr__(self) -> str:
        return f"<Breakpoint pid {self.pid} at {self.pc:#x}, hit {self.hits}>"

    def _repr_html_(self) -> str:
        return self.registers._repr_html_()


def _access(name: str) -> Access:
    try:
        return Access[name.upper()]
    except KeyError:
        raise ValueError(f"{name!r}: not an access (expected fetch, load or store)") from None

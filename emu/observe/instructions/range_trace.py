"""``--insn=RANGE``: the instruction trace of a range, resolved when the program is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from emu.observe.instructions.formats import LineFormat
from emu.observe.instructions.trace import InstructionTrace
from emu.observe.symbols.program_symbols import NoSymbol, ProgramSymbols
from kernel.kernel import Kernel
from kernel.process.observer import Observer
from kernel.process.process import Process, Thread
from kernel.trap.run_loop import Stopped

_REFUSED = 2


@dataclass(frozen=True, slots=True)
class AddressRange:
    """The addresses [start, end), or a function of the program."""

    start: int = 0
    end: int = 0
    function: str = ""

    def within(self, process: Process) -> tuple[int, int]:
        """The addresses in the process. Raises :class:`NoSymbol`."""
        if not self.function:
            return self.start, self.end
        start, end = ProgramSymbols(process).extent(self.function, process)
        if start == end:
            raise NoSymbol(f"{self.function!r}: symbol without a size (expected START-END)")
        return start, end


class RangeTrace(Observer):
    """Starts an :class:`InstructionTrace` when the first program is loaded."""

    def __init__(
        self,
        kernel: Kernel,
        span: AddressRange | None,
        write: Callable[[bytes], object],
        form: LineFormat,
    ) -> None:
        self._kernel = kernel
        self._span = span
        self._write = write
        self._form = form
        self._trace: InstructionTrace | None = None

    def started(self, process: Process) -> None:
        try:
            span = self._span.within(process) if self._span is not None else None
        except NoSymbol as error:
            self._kernel.call_soon(partial(_stop, str(error)))
            return
        self._trace = InstructionTrace(self._kernel, write=self._write, form=self._form, span=span)

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        if self._trace is not None:
            self._trace.call_left(thread, number, arguments, result)

    def signalled(self, thread: Thread, signo: int) -> None:
        if self._trace is not None:
            self._trace.signalled(thread, signo)

    def exited(self, process: Process) -> None:
        if self._trace is not None:
            self._trace.exited(process)

    @property
    def has_started(self) -> bool:
        """True once the program runs and the range was found in it."""
        return self._trace is not None

    def close(self) -> None:
        """Emits pending instructions; to be called after the run."""
        if self._trace is not None:
            self._trace.close()


def _stop(reason: str) -> None:
    raise Stopped(_REFUSED, reason)

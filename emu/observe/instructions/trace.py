"""Instruction trace: pc, instruction, changed register and memory access of each instruction.

>>> trace = InstructionTrace(session.kernel, write=file.write)           # doctest: +SKIP
>>> session.run([trace]); trace.close()                                  # doctest: +SKIP

The line of an instruction is emitted when it has completed. So one that is restarted after a page
fault has one line, after the fault; an ecall's is emitted when the system call has its result,
which may be after lines of other threads. One that never completes has a line with the signal that
it raised; the ecall of a call that does not return has one without a result. A register is included
if its value changed, except that an ecall changes a0 alone and fcsr is left out. Physical addresses
are the translations that the engine itself used at that time.

Cost, for 39 million instructions of a qsort, on a machine with two busy cores: 330 to 460 times the
time of an untraced run for all lines to a file, 0.9 to 1.8 million instructions a second; JSON 8 %
more. With a span, nothing outside it (0.7 to 1.8 times, of which a run of 0.1 s spends most on the
import of NumPy), and the same for each instruction in it: a function with 13 % of all instructions
took 40 to 60 times. Of 0.6 µs for an instruction, the hook's copy of the registers takes 0.26.

Limitation: code that a system call overwrites within the same run of the hart in which it was
executed is shown as it is afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from emu.machine.probe import InstructionProbe, Stop
from emu.machine.pte import VA_MASK
from emu.machine.registers import A0
from emu.machine.unicorn_registers import PC_WORD, WORDS
from emu.observe.instructions.decode_table import DecodeTable, LocatedInstruction
from emu.observe.instructions.effects import Steps, ecall_step, steps
from emu.observe.instructions.formats import (
    LineFormat,
    LineWriter,
    Record,
    RecordWriter,
    TextFormat,
)
from kernel.base.lazy_numpy import np
from kernel.kernel import Kernel
from kernel.process.observer import Observer
from kernel.process.process import Process, Thread
from kernel.process.signals import signals

if TYPE_CHECKING:
    from emu.machine.engine import Engine


class _Writer(Protocol):
    def steps(self, pid: int, tid: int, steps: Steps) -> None: ...

    def unfinished(self, pid: int, tid: int, instruction: LocatedInstruction, why: str) -> None: ...


class _Pending(NamedTuple):
    """An instruction that has not completed: its id, a0 before it, and why the hart stopped."""

    number: int
    a0: int
    stop: Stop


class InstructionTrace(Observer):
    """Traces all further instructions; must also be registered as an observer of ``kernel``.

    ``span`` (start, end) limits it to the instructions at start to end, end excluded; all others
    run at nearly full speed. Whole lines are passed to ``write``, or single records to ``take``.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        write: Callable[[bytes], object] | None = None,
        take: Callable[[Record], object] | None = None,
        form: LineFormat | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        if (write is None) == (take is None):
            raise TypeError("a trace goes either to write or to take")
        self._kernel = kernel
        self._end = None if span is None else span[1]
        self._pending: dict[Thread, _Pending] = {}
        kernel.hart.attach(partial(self._probe, span))
        instructions = self._decoded.instructions
        self._out: _Writer = (
            LineWriter(form or TextFormat(), write, instructions)
            if write is not None
            else RecordWriter(take or (lambda _: None), instructions)
        )

    def _probe(
        self, span: tuple[int, int] | None, engine: Engine, fail: Callable[[BaseException], None]
    ) -> InstructionProbe:
        probe = InstructionProbe(self, span, engine, fail)
        self._frames = probe.frames
        self._rows: Any = np.frombuffer(probe.buffer, np.uint64).reshape(-1, WORDS)
        self._decoded = DecodeTable(self._kernel.ram, probe.frames)
        return probe

    def close(self) -> None:
        """Emits pending instructions; to be called after the run."""
        for thread in list(self._pending):
            self._emit_pending(thread)

    # Called by the probe, while the thread that ran is still the kernel's current one.

    def completed(self, count: int) -> None:
        thread = self._kernel.current
        if thread is None:
            return
        self._pending.pop(thread, None)  # restarted
        if count:
            found = steps(self._rows[: count + 1], self._decoded, self._frames, self._end)
            self._out.steps(thread.process.pid, thread.tid, found)

    def unfinished(self, row: bytes, stop: Stop) -> None:
        thread, words = self._kernel.current, memoryview(row).cast("Q")
        if thread is not None and words[PC_WORD] != self._end:
            # Decoded now: another process may run, with other code there, before it is emitted.
            number = self._decoded.ids[words[PC_WORD]]
            self._pending[thread] = _Pending(number, words[A0], stop)

    def page_moved(self, page: int) -> None:
        self._decoded.moved(page)

    def code_changed(self) -> None:
        self._decoded.code_changed()

    # Called by the kernel.

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        pending = self._pending.get(thread)
        if pending is not None and pending.stop is Stop.ECALL:
            del self._pending[thread]
            self._emit_call(thread, pending, result)

    def signalled(self, thread: Thread, signo: int) -> None:
        pending = self._pending.get(thread)
        if pending is not None and pending.stop is Stop.FAULT:
            del self._pending[thread]
            instruction = self._decoded.instructions[pending.number]
            process = thread.process
            self._out.unfinished(process.pid, thread.tid, instruction, signals.name(signo))

    def exited(self, process: Process) -> None:
        for thread in [thread for thread in self._pending if thread.process is process]:
            self._emit_pending(thread)

    def _emit_pending(self, thread: Thread) -> None:
        pending = self._pending.pop(thread)
        if pending.stop is Stop.ECALL:
            self._emit_call(thread, pending, None)

    def _emit_call(self, thread: Thread, pending: _Pending, result: int | None) -> None:
        steps_of_call = ecall_step(
            pending.number, pending.a0, None if result is None else result & VA_MASK
        )
        self._out.steps(thread.process.pid, thread.tid, steps_of_call)

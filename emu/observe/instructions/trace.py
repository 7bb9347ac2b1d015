"""The trace of instructions: (pc, instruction, register changed, memory touched), for each.

>>> trace = InstructionTrace(session.kernel, write=file.write)           # doctest: +SKIP
>>> session.run([trace]); trace.close()                                  # doctest: +SKIP

An instruction has its line when it has completed. So one that met a page fault and was begun anew
has one line, after the fault; an ecall's comes when the system call has its result, which may be
after lines of other threads. One that never completes has a line that says which signal it
brought on; the ecall of a call that does not return has one without a result. A register is told
of if its value changed, except that an ecall changes a0 alone and fcsr is left out. Physical
addresses are those of the moment: the translations that the engine itself used.

What it costs, for 39 million instructions of a qsort, on a machine with two busy cores: 330 to 460
times the time of an untraced run for all lines to a file, 0.9 to 1.8 million instructions a second;
JSON 8 % more. With a span, nothing outside it (0.7 to 1.8 times, of which a run of 0.1 s spends
most on the import of NumPy), and the same for each instruction in it: a function that was 13 % of
all took 40 to 60 times. Of 0.6 µs for an instruction, the hook's copy of the registers is 0.26.

Not seen: code that a system call wrote over within the same run of the hart in which it had been
executed, which is shown as it is afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from emu.machine.probe import InstructionProbe, Stop
from emu.machine.pte import VA_MASK
from emu.machine.registers import A0
from emu.machine.unicorn_registers import PC_WORD, WORDS
from emu.observe.instructions.decode_table import Decoded, LocatedInstruction
from emu.observe.instructions.effects import Steps, call, steps
from emu.observe.instructions.formats import Form, LineWriter, Record, RecordWriter, TextForm
from kernel.kernel import Kernel
from kernel.process import signals
from kernel.process.observer import Observer
from kernel.process.process import Process, Thread

if TYPE_CHECKING:
    from emu.machine.engine import Engine


class _Writer(Protocol):
    def steps(self, pid: int, tid: int, steps: Steps) -> None: ...

    def unfinished(self, pid: int, tid: int, instruction: LocatedInstruction, why: str) -> None: ...


class _Open(NamedTuple):
    """An instruction that has not completed: its id, a0 as it was, and why the hart stopped."""

    number: int
    a0: int
    stop: Stop


class InstructionTrace(Observer):
    """Traces all that ``kernel`` runs from now on; to be its observer too.

    ``span`` (start, end) limits it to the instructions from start up to end, excluded; all others
    run at nearly full speed. Whole lines go to ``write``, or a record each to ``take``.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        write: Callable[[bytes], object] | None = None,
        take: Callable[[Record], object] | None = None,
        form: Form | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        if (write is None) == (take is None):
            raise TypeError("a trace goes either to write or to take")
        self._kernel = kernel
        self._end = None if span is None else span[1]
        self._open: dict[Thread, _Open] = {}
        kernel.hart.attach(partial(self._probe, span))
        instructions = self._decoded.instructions
        self._out: _Writer = (
            LineWriter(form or TextForm(), write, instructions)
            if write is not None
            else RecordWriter(take or (lambda _: None), instructions)
        )

    def _probe(
        self, span: tuple[int, int] | None, engine: Engine, fail: Callable[[BaseException], None]
    ) -> InstructionProbe:
        probe = InstructionProbe(self, span, engine, fail)
        self._frames = probe.frames
        self._rows: Any = np.frombuffer(probe.buffer, np.uint64).reshape(-1, WORDS)
        self._decoded = Decoded(self._kernel.ram, probe.frames)
        return probe

    def close(self) -> None:
        """Tells of what has not been told of; after the run."""
        for thread in list(self._open):
            self._give_up(thread)

    # From the probe, while the thread that ran is still the kernel's current one.

    def completed(self, count: int) -> None:
        thread = self._kernel.current
        if thread is None:
            return
        self._open.pop(thread, None)  # begun anew
        if count:
            found = steps(self._rows[: count + 1], self._decoded, self._frames, self._end)
            self._out.steps(thread.process.pid, thread.tid, found)

    def unfinished(self, row: bytes, stop: Stop) -> None:
        thread, words = self._kernel.current, memoryview(row).cast("Q")
        if thread is not None and words[PC_WORD] != self._end:
            # Found now: another process may run, with other code there, before it is told of.
            number = self._decoded.ids[words[PC_WORD]]
            self._open[thread] = _Open(number, words[A0], stop)

    def page_moved(self, page: int) -> None:
        self._decoded.moved(page)

    def code_changed(self) -> None:
        self._decoded.code_changed()

    # From the kernel.

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        open_ = self._open.get(thread)
        if open_ is not None and open_.stop is Stop.ECALL:
            del self._open[thread]
            self._tell_call(thread, open_, result)

    def signalled(self, thread: Thread, signo: int) -> None:
        open_ = self._open.get(thread)
        if open_ is not None and open_.stop is Stop.FAULT:
            del self._open[thread]
            instruction = self._decoded.instructions[open_.number]
            process = thread.process
            self._out.unfinished(process.pid, thread.tid, instruction, signals.name(signo))

    def exited(self, process: Process) -> None:
        for thread in [thread for thread in self._open if thread.process is process]:
            self._give_up(thread)

    def _give_up(self, thread: Thread) -> None:
        open_ = self._open.pop(thread)
        if open_.stop is Stop.ECALL:
            self._tell_call(thread, open_, None)

    def _tell_call(self, thread: Thread, open_: _Open, result: int | None) -> None:
        told = call(open_.number, open_.a0, None if result is None else result & VA_MASK)
        self._out.steps(thread.process.pid, thread.tid, told)

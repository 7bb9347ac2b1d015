"""``--around-faults N``: the last N instructions that a thread executed before each page fault.

Nothing is noted but the blocks of code as they are executed, so a program runs many times as fast
as under :mod:`emu.observe.instructions`; which instructions they were is found when a fault comes.

What it costs, for 39 million instructions of a qsort in blocks of five: 15 to 30 times the time of
an untraced run, 20 to 27 million instructions a second, a fifteenth to a twentieth of what the
trace of every instruction takes. How many are asked for makes no difference until a fault comes.

An ecall that waits is among them when it is begun. Code that was unmapped or written over after it
had run is shown as what is there now, or ``?``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from emu.machine.decode import instruction_length
from emu.machine.probe import BlockProbe
from emu.observe.disassembly import disassembler
from emu.observe.peek import peek
from kernel.events import Fault, Observer
from kernel.kernel import Kernel
from kernel.process import Process, Thread
from kernel.space import AddressSpace

if TYPE_CHECKING:
    from emu.machine.engine import Engine

Block = tuple[int, int]
"""Address and size in bytes of code that was executed from its start to its end."""


@dataclass(frozen=True, slots=True)
class Executed:
    """An instruction that completed; without ``code`` when it is no more in memory."""

    pc: int
    code: bytes

    @property
    def text(self) -> str:
        return disassembler().text(self.code or None, self.pc)


@dataclass(frozen=True, slots=True)
class Window:
    """A page fault, and what its thread executed before it, oldest first.

    The instruction that faulted is not among it: it has not completed. Before a fault that the
    kernel met, the ecall is the last one.
    """

    fault: Fault
    executed: list[Executed]


class AroundFaults(Observer):
    """Gives ``tell`` a window of up to ``count`` instructions at each page fault of all that
    ``kernel`` runs from now on; to be its observer too.
    """

    def __init__(self, kernel: Kernel, count: int, tell: Callable[[Window], object]) -> None:
        self._kernel = kernel
        self._count = count
        self._tell = tell
        self._history: WeakKeyDictionary[Thread, deque[Block]] = WeakKeyDictionary()
        kernel.hart.attach(self._probe)

    def _probe(self, engine: Engine, _fail: Callable[[BaseException], None]) -> BlockProbe:
        probe = BlockProbe(self._count, self._stopped, engine)
        self._recent = probe.recent
        return probe

    def _stopped(self, blocks: deque[Block]) -> None:
        thread = self._kernel.current
        if thread is None:
            return
        history = self._history.get(thread)
        if history is None:
            history = self._history[thread] = deque(maxlen=self._count)
        history.extend(blocks)

    def fault(self, event: Fault) -> None:
        blocks = list(self._history.get(event.thread, ()))
        if event.thread is self._kernel.current:  # a system call that stopped nothing
            blocks += self._recent
        executed = _backwards(event.thread.process.space, blocks) if blocks else iter(())
        self._tell(Window(event, list(islice(executed, self._count))[::-1]))

    def execed(self, process: Process) -> None:
        for thread in process.threads.values():
            self._history.pop(thread, None)


def _backwards(space: AddressSpace, blocks: list[Block]) -> Iterator[Executed]:
    for start, size in reversed(blocks):
        yield from reversed(list(_instructions(space, start, start + size)))


def _instructions(space: AddressSpace, pc: int, end: int) -> Iterator[Executed]:
    code = peek(space, pc, end - pc)
    if code is None:
        yield Executed(pc, b"")
        return
    at = 0
    while at < len(code):
        length = instruction_length(code[at])
        yield Executed(pc + at, code[at : at + length])
        at += length


def window_lines(window: Window) -> list[str]:
    """A line for each instruction."""
    thread = window.fault.thread
    pid = thread.process.pid
    prefix = f"[pid {pid}]" if thread.tid == pid else f"[pid {pid} tid {thread.tid}]"
    return [f"{prefix}    {step.pc:#x}  {step.text}".rstrip() for step in window.executed]

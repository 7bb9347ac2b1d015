"""``--around-faults N``: the last N instructions that a thread executed before each page fault.

Nothing is noted but the blocks of code as they are executed, with the registers before each, so a
program runs many times as fast as under :mod:`emu.observe.instructions.trace`; which instructions
they were and what they did is found when a fault comes
(:mod:`emu.observe.instructions.block_replay`). Where a value or an address does not follow from the
registers before and after a block, it is not known.

What it costs, for 39 million instructions of a qsort in blocks of five: 25 to 40 times the time of
an untraced run, 4 to 6 million instructions a second, an eighth of what the trace of every
instruction takes; the registers are half of it. How many are asked for makes no difference until a
fault comes.

An ecall that waits is among them when it is begun. Code that was unmapped or written over after it
had run is shown as what is there now, or ``?``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from emu.machine.probe import Block, BlockProbe, Stop
from emu.observe.instructions.block_replay import Executed, ExecutedBlock, executed
from emu.observe.model.guest_memory import peek
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.process.observer import Fault, Observer
from kernel.process.process import Process, Thread

if TYPE_CHECKING:
    from emu.machine.engine import Engine


@dataclass(frozen=True)
class Window:
    """A page fault, and what its thread executed before it.

    The instruction that faulted is not among it: it has not completed. Before a fault that the
    kernel met, the ecall is the last one.
    """

    fault: Fault
    stretches: list[ExecutedBlock]
    count: int

    @cached_property
    def executed(self) -> list[Executed]:
        """Oldest first. To be asked for while the machine stands at the fault."""
        if not self.stretches:  # the first program is not there yet
            return []
        before = _backwards(self.fault.thread.process.space, self.stretches)
        return list(islice(before, self.count))[::-1]


class AroundFaults(Observer):
    """Gives ``tell`` a window of up to ``count`` instructions at each page fault of all that
    ``kernel`` runs from now on; to be its observer too.
    """

    def __init__(self, kernel: Kernel, count: int, tell: Callable[[Window], object]) -> None:
        self._kernel = kernel
        self._count = count
        self._tell = tell
        self._history: WeakKeyDictionary[Thread, deque[ExecutedBlock]] = WeakKeyDictionary()
        kernel.hart.attach(self._probe)

    def _probe(self, engine: Engine, _fail: Callable[[BaseException], None]) -> BlockProbe:
        self._blocks = BlockProbe(self._count, self._stopped, engine)
        return self._blocks

    def _stopped(self, blocks: deque[Block], after: bytes, stop: Stop) -> None:
        thread = self._kernel.current
        if thread is None:
            return
        history = self._history.get(thread)
        if history is None:
            history = self._history[thread] = deque(maxlen=self._count)
        history.extend(_stretches(blocks, after, waits=stop is Stop.ECALL))

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        history = self._history.get(thread)
        answered = thread is self._kernel.current and self._blocks.recent  # the hart did not stop
        if history and history[-1].waits and result is not None and not answered:
            history[-1] = history[-1].returned(result)

    def fault(self, event: Fault) -> None:
        stretches = list(self._history.get(event.thread, ()))
        recent = self._blocks.recent
        if recent and event.thread is self._kernel.current:  # a system call that stopped nothing
            stretches += _stretches(recent, self._blocks.registers(), waits=True)
        self._tell(Window(event, stretches, self._count))

    def execed(self, process: Process) -> None:
        for thread in process.threads.values():
            self._history.pop(thread, None)


def _stretches(blocks: deque[Block], after: bytes, *, waits: bool) -> Iterator[ExecutedBlock]:
    """The blocks, each with the registers after it: those before the next."""
    ends = [block.before for block in islice(blocks, 1, None)]
    for block, end in zip(blocks, ends, strict=False):
        yield ExecutedBlock(*block, end)
    if blocks:
        yield ExecutedBlock(*blocks[-1], after, waits)


def _backwards(space: AddressSpace, stretches: list[ExecutedBlock]) -> Iterator[Executed]:
    for stretch in reversed(stretches):
        yield from reversed(executed(stretch, peek(space, stretch.start, stretch.size)))


def window_lines(window: Window) -> list[str]:
    """A line for each instruction."""
    thread = window.fault.thread
    pid = thread.process.pid
    prefix = f"[pid {pid}]" if thread.tid == pid else f"[pid {pid} tid {thread.tid}]"
    return [f"{prefix}    {step.line}" for step in window.executed]

"""``--around-faults N``: the last N instructions that a thread executed before each page fault.

Only the executed blocks of code are recorded, with the registers before each, so a program runs
many times as fast as under :mod:`emu.observe.instructions.trace`. The instructions and their
effects are derived when a fault occurs (:mod:`emu.observe.instructions.block_replay`). A value or
address that does not follow from the registers before and after a block is unknown.

Cost, for 39 million instructions of a qsort in blocks of five: 25 to 40 times the time of an
untraced run, 4 to 6 million instructions a second, an eighth of the time of the trace of every
instruction; copying the registers is half of it. N makes no difference until a fault occurs.

An ecall that blocks is included from its start. Code that was unmapped or overwritten after its
execution is shown as the current content, or as ``?``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from emu.machine.probe import Block, BlockProbe, Stop
from emu.observe.instructions.block_replay import Executed, ExecutedBlock, replay
from emu.observe.model.guest_memory import peek
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.process.observer import Fault, Observer
from kernel.process.process import Process, Thread

if TYPE_CHECKING:
    from emu.machine.engine import Engine


@dataclass(frozen=True)
class Window:
    """A page fault, and the instructions that its thread executed before it.

    The faulting instruction is not included: it has not completed. Before a fault of the kernel's
    own access to user memory, the ecall is the last one.
    """

    fault: Fault
    blocks: list[ExecutedBlock]
    count: int

    @cached_property
    def executed(self) -> list[Executed]:
        """Oldest first. To be read before the machine continues after the fault."""
        if not self.blocks:  # no program is loaded yet
            return []
        before = _backwards(self.fault.thread.process.space, self.blocks)
        return list(islice(before, self.count))[::-1]


class AroundFaults(Observer):
    """Calls ``report`` with a window of up to ``count`` instructions at each further page fault.

    It must also be registered as an observer of ``kernel``.
    """

    def __init__(self, kernel: Kernel, count: int, report: Callable[[Window], object]) -> None:
        self._kernel = kernel
        self._count = count
        self._report = report
        self._history: dict[int, deque[ExecutedBlock]] = {}
        """The latest blocks of each thread, by thread id."""
        kernel.hart.attach(self._probe)

    def _probe(self, engine: Engine, _fail: Callable[[BaseException], None]) -> BlockProbe:
        self._blocks = BlockProbe(self._count, self._stopped, engine)
        return self._blocks

    def _stopped(self, blocks: deque[Block], after: bytes, stop: Stop) -> None:
        thread = self._kernel.current
        if thread is None:
            return
        history = self._history.get(thread.tid)
        if history is None:
            history = self._history[thread.tid] = deque(maxlen=self._count)
        history.extend(_with_ends(blocks, after, waits=stop is Stop.ECALL))

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        history = self._history.get(thread.tid)
        answered = thread is self._kernel.current and self._blocks.recent  # the hart did not stop
        if history and history[-1].waits and result is not None and not answered:
            history[-1] = history[-1].returned(result)

    def fault(self, event: Fault) -> None:
        blocks = list(self._history.get(event.thread.tid, ()))
        recent = self._blocks.recent
        if recent and event.thread is self._kernel.current:  # a system call that stopped nothing
            blocks += _with_ends(recent, self._blocks.registers(), waits=True)
        self._report(Window(event, blocks, self._count))

    def execed(self, process: Process) -> None:
        self._forget(process)

    def leaving(self, process: Process) -> None:
        self._forget(process)

    def _forget(self, process: Process) -> None:
        for thread in process.threads.values():
            self._history.pop(thread.tid, None)


def _with_ends(blocks: deque[Block], after: bytes, *, waits: bool) -> Iterator[ExecutedBlock]:
    """Adds the registers after each block: those before the next."""
    ends = [block.before for block in islice(blocks, 1, None)]
    for block, end in zip(blocks, ends, strict=False):
        yield ExecutedBlock(*block, end)
    if blocks:
        yield ExecutedBlock(*blocks[-1], after, waits)


def _backwards(space: AddressSpace, blocks: list[ExecutedBlock]) -> Iterator[Executed]:
    for block in reversed(blocks):
        yield from reversed(replay(block, peek(space, block.start, block.size)))


def window_lines(window: Window) -> list[str]:
    """Returns a line of text for each instruction."""
    thread = window.fault.thread
    pid = thread.process.pid
    prefix = f"[pid {pid}]" if thread.tid == pid else f"[pid {pid} tid {thread.tid}]"
    return [f"{prefix}    {step.line}" for step in window.executed]

"""Probes: record the instructions or blocks that a hart executes.

A hart without a probe has no overhead. With one (:meth:`Hart.attach`) the engine calls a hook of
the probe for each instruction or block; the hook's notes are delivered in bulk, at the latest when
the hart stops. Hooks never raise: an error of a receiver is raised by :meth:`Hart.run`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple, Protocol

from emu.machine.unicorn_registers import PC_WORD, ROW, WORDS

if TYPE_CHECKING:
    from emu.machine.engine import Engine

CAPACITY = 1024
"""Number of rows buffered before delivery; small enough for the processor's cache."""

Fail = Callable[[BaseException], None]


class Stop(Enum):
    """Reason for which the engine stopped."""

    TIME = auto()
    """Its time or count of instructions has expired: all instructions that began have completed."""
    ECALL = auto()
    """At an ecall, which the kernel is to handle."""
    FAULT = auto()
    """At an instruction without effect: it raised an exception, or will be restarted."""
    NOT_STARTED = auto()
    """At an instruction that raises an exception before the engine starts it."""


class Probe(Protocol):
    """Events that a hart reports to its probe, besides the engine's hooks."""

    def filled(self, page: int, frame: int) -> None:
        """The TLB now maps the page at ``page`` to the frame at ``frame`` (addresses). The
        instruction that needs it has begun.
        """

    def stopped(self, pc: int, stop: Stop) -> None:
        """The engine's run has ended; the registers have their final values."""

    def code_changed(self) -> None:
        """The content of an executed frame may have changed."""


class InstructionSink(Protocol):
    """Receiver of the instructions of an :class:`InstructionProbe`."""

    def completed(self, count: int) -> None:
        """The first ``count`` of the probe's rows are instructions that have completed: each row
        has the registers before the instruction, and the next row those after it.
        """

    def unfinished(self, row: bytes, stop: Stop) -> None:
        """The hart stopped at this instruction, before it completed."""

    def page_moved(self, page: int) -> None:
        """A page is mapped to another frame than before."""

    def code_changed(self) -> None:
        """As :meth:`Probe.code_changed`."""


class InstructionProbe:
    """Records the registers before every instruction, or before those of ``span``.

    ``span`` is (start, end), end excluded. The instruction at ``end`` is recorded too, since
    its row shows the effect of the one before it. The row after a jump need not be its target.
    ``frames`` maps pages to frames, by address, for all rows that are not delivered yet.
    """

    def __init__(
        self, sink: InstructionSink, span: tuple[int, int] | None, engine: Engine, fail: Fail
    ) -> None:
        self.frames: dict[int, int] = {}
        self.buffer = bytearray((CAPACITY + 1) * ROW)
        self._sink = sink
        self._span = span
        self._fail = fail
        self._rows = memoryview(self.buffer)
        self._pcs = self._rows.cast("Q")
        self._state, refresh = engine.state()
        self._refresh = refresh or _nothing
        hook, self._count, self._rewind = self._recorder()
        first, last = span if span is not None else (1, 0)
        engine.hook_instructions(hook, first, last)

    def _recorder(
        self,
    ) -> tuple[Callable[[], None], Callable[[], int], Callable[[int], None]]:
        """Returns the hook, a getter of the number of recorded rows, and its setter."""
        rows, state, refresh, full = self._rows, self._state, self._refresh, self._deliver
        at, end = 0, CAPACITY * ROW

        def hook() -> None:
            nonlocal at
            after = at + ROW
            rows[at:after] = state
            at = after
            if at == end:
                full()

        def slow_hook() -> None:
            refresh()
            hook()

        def count() -> int:
            return at // ROW

        def rewind(to: int) -> None:
            nonlocal at
            at = to * ROW

        return hook if refresh is _nothing else slow_hook, count, rewind

    def _deliver(self) -> None:
        """Delivers all but the last row, whose instruction has only begun."""
        last = self._count() - 1
        if last < 0:
            return
        try:
            self._sink.completed(last)
        except BaseException as error:
            self._fail(error)
        self._rows[:ROW] = self._rows[last * ROW : (last + 1) * ROW]
        self._rewind(1)

    def filled(self, page: int, frame: int) -> None:
        known = self.frames.get(page)
        if known == frame:
            return
        if known is not None:
            self._deliver()
            self._sink.page_moved(page)
        self.frames[page] = frame

    def stopped(self, pc: int, stop: Stop) -> None:
        count = self._count()
        if count:
            self._rewind(0)
            self._deliver_all(count, pc, stop)
        if stop is Stop.NOT_STARTED and (self._span is None or self._span[0] <= pc < self._span[1]):
            self._refresh()
            self._sink.unfinished(bytes(self._state), Stop.FAULT)

    def _deliver_all(self, count: int, pc: int, stop: Stop) -> None:
        """Delivers all rows; the last may be an instruction that did not complete."""
        last = (count - 1) * ROW
        began = stop in (Stop.ECALL, Stop.FAULT)
        if began and self._pcs[(count - 1) * WORDS + PC_WORD] == pc:
            row = bytes(self._rows[last : last + ROW])
            self._sink.completed(count - 1)
            self._sink.unfinished(row, stop)
            return
        self._refresh()
        self._rows[last + ROW : last + 2 * ROW] = self._state
        self._sink.completed(count)

    def code_changed(self) -> None:
        self._sink.code_changed()


def _nothing() -> None:
    pass


class Block(NamedTuple):
    """A block of code that was executed from its start, and the row of registers before it."""

    start: int
    size: int
    before: bytes


class BlockProbe:
    """Records the last ``depth`` blocks of code that were executed, and the registers before each.

    ``recent`` has those since the hart last stopped; the last one is being executed. At a stop
    ``report`` gets them, the last cut to its executed part, with the current registers and the
    reason.
    """

    def __init__(
        self,
        depth: int,
        report: Callable[[deque[Block], bytes, Stop], None],
        engine: Engine,
    ) -> None:
        # One more, since the last may turn out not to have been executed.
        self.recent: deque[Block] = deque(maxlen=depth + 1)
        self._report = report
        self._state, refresh = engine.state()
        self._refresh = refresh or _nothing
        engine.hook_blocks(self._hook() if refresh is None else self._slow_hook(refresh))

    def _hook(self) -> Callable[[int, int, int], None]:
        note, state, new = self.recent.append, self._state, tuple.__new__

        def hook(_engine: int, start: int, size: int) -> None:
            note(new(Block, (start, size, bytes(state))))

        return hook

    def _slow_hook(self, refresh: Callable[[], object]) -> Callable[[int, int, int], None]:
        note = self._hook()

        def hook(engine: int, start: int, size: int) -> None:
            refresh()
            note(engine, start, size)

        return hook

    def registers(self) -> bytes:
        """The current row."""
        self._refresh()
        return bytes(self._state)

    def stopped(self, pc: int, stop: Stop) -> None:
        if not self.recent:
            return
        start, size, before = self.recent[-1]
        # The engine calls the hook of a block before it checks for a stop.
        if stop is not Stop.ECALL and start <= pc < start + size:
            self.recent.pop()
            if pc != start:
                self.recent.append(Block(start, pc - start, before))
        self._report(self.recent, self.registers(), stop)
        self.recent.clear()

    def filled(self, page: int, frame: int) -> None:
        pass

    def code_changed(self) -> None:
        pass

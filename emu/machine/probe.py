"""Probes: what a hart executes, instruction by instruction or block by block.

A hart without a probe costs nothing more than before. With one (:meth:`Hart.attach`) the engine
calls a hook of the probe for each instruction or block; what the hook notes is handed on in bulk,
at the latest when the hart stops. Hooks never raise: an error in whoever listens is raised by
:meth:`Hart.run`.
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
"""Rows that are noted before they are handed on; they stay in the processor's cache."""

Fail = Callable[[BaseException], None]


class Stop(Enum):
    """Why the engine stopped."""

    TIME = auto()
    """Its time or its count was over: every instruction that had begun is done."""
    ECALL = auto()
    """On an ecall, which is for the kernel to carry out."""
    FAULT = auto()
    """On an instruction that had no effect: it raised an exception, or is to be begun anew."""
    UNBEGUN = auto()
    """Records an instruction that raises an exception before the engine begins it."""


class Probe(Protocol):
    """What a hart tells its probe, besides what the engine's hooks do."""

    def filled(self, page: int, frame: int) -> None:
        """The TLB now has the page at address ``page`` in the frame at ``frame``; it had not, or
        elsewhere. The instruction that needs it has been begun.
        """

    def stopped(self, pc: int, stop: Stop) -> None:
        """The engine's run has ended, with the registers as they are now."""

    def code_changed(self) -> None:
        """An executed frame's content may have changed."""


class Sink(Protocol):
    """Who gets the instructions of an :class:`InstructionProbe`."""

    def completed(self, count: int) -> None:
        """The first ``count`` of the probe's rows are instructions that have completed: each row
        has the registers as they were before, and the next row as they were after.
        """

    def unfinished(self, row: bytes, stop: Stop) -> None:
        """The hart stopped within this instruction."""

    def page_moved(self, page: int) -> None:
        """A page has another frame than before."""

    def code_changed(self) -> None:
        """As :meth:`Probe.code_changed`."""


class InstructionProbe:
    """Notes the registers before every instruction, or before those of ``span``.

    ``span`` is (start, end), end excluded. The instruction at ``end`` is noted too, since it shows
    what the one before it did. A row that follows a jump need not be the jump's target.
    ``frames`` has the frame of each page, by address, as it is for all rows that are not handed on.
    """

    def __init__(
        self, sink: Sink, span: tuple[int, int] | None, engine: Engine, fail: Fail
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
        """The hook; the number of rows noted; and how to set it."""
        rows, state, refresh, full = self._rows, self._state, self._refresh, self._hand_on
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

    def _hand_on(self) -> None:
        """All but the last row, whose instruction has only begun."""
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
            self._hand_on()
            self._sink.page_moved(page)
        self.frames[page] = frame

    def stopped(self, pc: int, stop: Stop) -> None:
        count = self._count()
        if count:
            self._rewind(0)
            self._settle(count, pc, stop)
        if stop is Stop.UNBEGUN and (self._span is None or self._span[0] <= pc < self._span[1]):
            self._refresh()
            self._sink.unfinished(bytes(self._state), Stop.FAULT)

    def _settle(self, count: int, pc: int, stop: Stop) -> None:
        """Emits all rows; the last may be an instruction that did not complete."""
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
    """A stretch of code that was executed from its start on, and a row of registers before it."""

    start: int
    size: int
    before: bytes


class BlockProbe:
    """Notes the last ``depth`` stretches of code that were executed, and the registers before each.

    ``recent`` has those since the hart last stopped, the last one being executed now. At a stop
    they go to ``tell``, each cut to what has been executed of it, with the registers as they are
    then and the reason.
    """

    def __init__(
        self,
        depth: int,
        tell: Callable[[deque[Block], bytes, Stop], None],
        engine: Engine,
    ) -> None:
        # One more, since the last may come to nothing.
        self.recent: deque[Block] = deque(maxlen=depth + 1)
        self._tell = tell
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
        """The row as it is now."""
        self._refresh()
        return bytes(self._state)

    def stopped(self, pc: int, stop: Stop) -> None:
        if not self.recent:
            return
        start, size, before = self.recent[-1]
        # The engine tells of a block before it looks whether it is to stop.
        if stop is not Stop.ECALL and start <= pc < start + size:
            self.recent.pop()
            if pc != start:
                self.recent.append(Block(start, pc - start, before))
        self._tell(self.recent, self.registers(), stop)
        self.recent.clear()

    def filled(self, page: int, frame: int) -> None:
        pass

    def code_changed(self) -> None:
        pass

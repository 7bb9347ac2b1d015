"""Does a probe see each instruction and each block that a hart completes, once?"""

from __future__ import annotations

from collections import deque
from functools import partial

import pytest

from emu.machine import unicorn_registers
from emu.machine.cause import Access, Cause
from emu.machine.probe import CAPACITY, Block, BlockProbe, InstructionProbe, Stop
from emu.machine.unicorn_registers import ROW
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, A4, NOP, ZERO
from tests.emu.machine.board import FREE, RW, RWX, RX, Board

CODE, DATA = 0x1000, 0x8000


class Watched(Board):
    """A board that records what its probe reports: ``done`` has (offset, a0 before, a0 after)."""

    def __init__(self, span: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.map(1, FREE, RX)
        self.map(2, FREE + 1, RX)
        self.map(8, FREE + 2, RW)
        self.done: list[tuple[int, int, int]] = []
        self.left: list[tuple[int, Stop]] = []
        self.events: list[str] = []
        self.hart.attach(partial(self._probe, span))

    def _probe(self, span: tuple[int, int] | None, *parts: object) -> InstructionProbe:
        self.probe = InstructionProbe(self, span, *parts)  # type: ignore
        self.words = memoryview(self.probe.buffer).cast("Q")
        return self.probe

    def completed(self, count: int) -> None:
        rows = [self.words[65 * n : 65 * n + 65].tolist() for n in range(count + 1)]
        self.done += [(row[64] - CODE, row[10], rows[n + 1][10]) for n, row in enumerate(rows[:-1])]

    def unfinished(self, row: bytes, stop: Stop) -> None:
        assert len(row) == ROW
        self.left.append((int.from_bytes(row[-8:], "little") - CODE, stop))

    def page_moved(self, page: int) -> None:
        self.events.append(f"moved {page:#x}")

    def code_changed(self) -> None:
        self.events.append("code")

    @property
    def offsets(self) -> list[int]:
        return [offset for offset, _, _ in self.done]


def loop(board: Board, turns: int) -> None:
    board.write_code(
        FREE, asm.addi(A0, A0, 1), asm.addi(A4, A4, -1), asm.bne(A4, ZERO, -8), asm.ECALL
    )
    board.hart.write(A0, 0)
    board.hart.write(A4, turns)
    board.hart.pc = CODE


@pytest.mark.parametrize("turns", [1, CAPACITY // 3, CAPACITY // 3 + 1, 1000])
def test_every_instruction_is_reported_once(turns: int) -> None:
    """For any number of rows in a batch."""
    board = Watched()
    loop(board, turns)
    assert board.hart.run().cause == Cause.ECALL_FROM_U
    assert board.offsets == [0, 4, 8] * turns
    assert [(a, b) for at, a, b in board.done if not at] == [(n, n + 1) for n in range(turns)]
    assert board.left == [(12, Stop.ECALL)]


@pytest.mark.parametrize("count", [1, 2, 7, 1500])
def test_runs_with_a_count_are_reported_like_others(count: int) -> None:
    board = Watched()
    loop(board, 600)
    runs = 0
    while board.hart.run(count).cause == Cause.TIMER_INTERRUPT:
        runs += 1
    assert board.offsets == [0, 4, 8] * 600
    assert runs == 1800 // count
    assert board.left == [(12, Stop.ECALL)]


def test_without_the_engines_memory_it_is_the_same(monkeypatch) -> None:
    monkeypatch.setattr(unicorn_registers, "_candidates", lambda *_: set())
    board = Watched()
    loop(board, 600)
    board.hart.run()
    assert board.done[-3:] == [(0, 599, 600), (4, 600, 600), (8, 600, 600)]
    assert board.offsets == [0, 4, 8] * 600


def test_an_instruction_that_faulted_counts_when_it_completes() -> None:
    board = Watched()
    board.write_code(FREE, NOP, asm.ld(A0, A1), asm.ECALL)
    board.hart.write(A1, 0x9000)
    board.hart.pc = CODE
    assert board.hart.run().cause == Cause.LOAD_PAGE_FAULT
    assert (board.offsets, board.left) == ([0], [(4, Stop.FAULT)])
    board.map(9, FREE + 3, RW)
    board.write(FREE + 3, (77).to_bytes(8, "little"))
    board.hart.run()
    assert board.done[1:] == [(4, 0, 77)]
    assert board.probe.frames[0x9000] == board.pa(FREE + 3)


def test_rows_are_handed_on_before_a_page_moves() -> None:
    """``frames`` is therefore correct for each row."""
    board = Watched()
    board.write_code(FREE, asm.ld(A0, A1), asm.ECALL, asm.ld(A0, A1), asm.ECALL)

    class Moves:
        def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
            if epc != CODE + 4:
                return None
            board.map(8, FREE + 3, RW)
            board.hart.flush_tlb()
            return 5

        def page_fault(self, page: int, access: Access) -> bool:
            return False

    board.hart.vector = Moves()
    frames: list[tuple[int, int | None]] = []
    plain = board.completed

    def completed(count: int) -> None:
        plain(count)
        frames.append((count, board.probe.frames.get(DATA)))

    board.completed = completed  # type: ignore
    board.hart.write(A1, DATA)
    board.hart.pc = CODE
    board.hart.run()
    assert frames == [(2, board.pa(FREE + 2)), (1, board.pa(FREE + 3))]
    assert board.events[-1] == "moved 0x8000"
    assert board.offsets == [0, 4, 8]


def test_a_span_is_reported_with_the_instruction_after_it() -> None:
    board = Watched((CODE + 4, CODE + 8))
    loop(board, 5)
    board.hart.run()
    assert board.offsets == [4, 8] * 5
    assert board.left == []


def test_code_that_a_store_changes_is_reported_as_it_runs() -> None:
    board = Watched()
    board.map(1, FREE, RWX)
    board.write_code(FREE, asm.sw(A2, A1, 8), NOP, NOP, asm.ECALL)
    board.hart.write(A1, CODE)
    board.hart.write(A2, int.from_bytes(asm.li(A0, 9), "little"))
    board.hart.pc = CODE
    board.hart.run()
    assert board.offsets == [0, 4, 8]
    assert board.done[-1] == (8, 0, 9)
    assert "code" in board.events


def test_an_error_of_the_listener_ends_the_run() -> None:
    board = Watched()
    loop(board, 2000)

    def fails(count: int) -> None:
        raise OSError("full")

    board.completed = fails  # type: ignore
    with pytest.raises(OSError, match="full"):
        board.hart.run()


def test_a_hart_has_one_probe() -> None:
    board = Watched()
    with pytest.raises(RuntimeError, match="one probe"):
        board.hart.attach(partial(board._probe, None))


# Blocks.


class InBlocks(Board):
    """Records (offset, size) of each block that was executed."""

    def __init__(self, depth: int = 100) -> None:
        super().__init__()
        self.map(1, FREE, RX)
        self.map(8, FREE + 2, RW)
        self.executed_blocks: list[tuple[int, int]] = []
        self.first_registers: list[bytes] = []
        self.hart.attach(lambda engine, _fail: BlockProbe(depth, self._record, engine))

    def _record(self, blocks: deque[Block], after: bytes, _stop: Stop) -> None:
        self.executed_blocks += [(block.start - CODE, block.size) for block in blocks]
        self.first_registers += [block.before for block in blocks]
        self.after = after


def test_blocks_are_cut_where_they_faulted() -> None:
    board = InBlocks()
    board.write_code(FREE, NOP, asm.sd(A0, A1), asm.C_NOP, asm.ECALL)
    board.hart.write(A1, 0x9000)
    board.hart.pc = CODE
    board.hart.run()
    assert board.executed_blocks == [(0, 4)]
    board.hart.run()
    assert board.executed_blocks == [(0, 4)], "the same fault again: nothing was executed"
    board.map(9, FREE + 3, RW)
    board.hart.run()
    assert board.executed_blocks == [(0, 4), (4, 10)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 100])
def test_blocks_of_runs_with_a_count_make_the_same_instructions(count: int) -> None:
    board = InBlocks()
    loop(board, 20)
    while board.hart.run(count).cause == Cause.TIMER_INTERRUPT:
        pass
    executed = [at for start, size in board.executed_blocks for at in range(start, start + size, 4)]
    assert executed == [0, 4, 8] * 20 + [12]


def test_interrupts_neither_add_nor_lose_a_block() -> None:
    board = InBlocks(depth=10**6)
    loop(board, 3000)
    stops = iter(range(10**6))
    ends = 0
    engine = board.hart._engine
    engine.hook_blocks(lambda *_: engine.stop() if next(stops) % 7 == 0 else None)
    while board.hart.run().cause == Cause.TIMER_INTERRUPT:
        ends += 1
        assert ends < 10**4
    assert ends > 100
    executed = [at for start, size in board.executed_blocks for at in range(start, start + size, 4)]
    assert executed == [0, 4, 8] * 3000 + [12]


def test_only_the_last_blocks_are_kept() -> None:
    board = InBlocks(depth=3)
    loop(board, 50)
    board.hart.run()
    assert board.executed_blocks[-3:] == [(0, 12)] * 2 + [(12, 4)]
    assert len(board.executed_blocks) <= 4


def test_each_block_has_the_registers_before_it() -> None:
    board = InBlocks()
    loop(board, 3)
    board.hart.run()
    rows = [memoryview(row).cast("Q") for row in (*board.first_registers, board.after)]
    assert [(row[A0], row[A4]) for row in rows] == [(0, 3), (1, 2), (2, 1), (3, 0), (3, 0)]


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_reserved_encoding_has_begun_and_not_completed(before: int) -> None:
    """The engine, which would execute it, must not."""
    for span, watched in ((None, True), ((CODE, CODE + 64), True), ((CODE + 32, CODE + 64), False)):
        board = Watched(span)
        board.write_code(FREE, *[asm.c_addi(A0, 1)] * before, asm.half(0x8000), asm.EBREAK)
        assert board.run(CODE, x10=0).cause == Cause.ILLEGAL_INSTRUCTION
        assert board.offsets == ([2 * n for n in range(before)] if watched else [])
        assert board.left == ([(2 * before, Stop.FAULT)] if watched else [])
        if watched and before:
            assert board.done[-1][1:] == (before - 1, before)

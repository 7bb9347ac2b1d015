"""Is a watched instruction reported each time before it runs, without other effects?"""

from __future__ import annotations

import pytest

from emu.machine.cause import Cause
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1
from tests.emu.machine.board import FREE, RX, Board, address

START = address(1)
LOOP = (  # a0 times: a1 += 2
    asm.addi(A1, A1, 1),
    asm.addi(A1, A1, 1),
    asm.addi(A0, A0, -1),
    asm.branch(1, A0, 0, -12),
    asm.ECALL,
)


@pytest.fixture(autouse=True)
def code(board: Board) -> None:
    board.map(1, FREE, RX)
    board.write_code(FREE, *LOOP)


@pytest.mark.parametrize("translated", [False, True])
def test_are_pc_and_registers_exact(board: Board, translated: bool) -> None:
    if translated:
        board.run_to_ecall(START, x10=3, x11=0)
    hits: list[tuple[int, int, int]] = []
    board.hart.watch(START + 4, lambda pc: hits.append((pc, board.x(A0), board.x(A1))))
    board.run_to_ecall(START, x10=3, x11=0)
    assert hits == [(START + 4, 3, 1), (START + 4, 2, 3), (START + 4, 1, 5)]
    assert board.x(A1) == 6


def test_may_it_watch_another_from_within(board: Board) -> None:
    hits: list[int] = []
    hart = board.hart
    watched: set[int] = set()

    def reached(pc: int) -> None:
        if pc == START and START + 8 not in watched:
            watched.add(START + 8)
            hart.watch(START + 8, hits.append)

    hart.watch(START, reached)
    trap = board.run(START, x10=1000, x11=0)
    assert trap.cause == Cause.ECALL_FROM_U  # no trap of its own
    assert board.x(A1) == 2000 and len(hits) >= 999


def test_is_a_run_with_a_count_watched_too(board: Board) -> None:
    hits: list[int] = []
    board.hart.watch(START + 4, hits.append)
    board.set(x10=5, x11=0)
    board.hart.pc = START
    steps = 0
    while board.hart.step() is None:
        steps += 1
    assert (steps, board.x(A1)) == (20, 10)
    assert set(hits) == {START + 4} and len(hits) >= 5


def test_does_what_goes_wrong_there_come_out_of_run(board: Board) -> None:
    def reached(pc: int) -> None:
        raise ValueError(hex(pc))

    board.hart.watch(START, reached)
    with pytest.raises(ValueError, match=hex(START)):
        board.run(START, x10=5, x11=0)

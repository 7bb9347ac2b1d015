"""Is CPU time divided into the program's and the kernel's, and does neither part ever decrease?"""

from __future__ import annotations

import pytest

from kernel.base.clock import VirtualClock
from kernel.base.cpu_time import CpuTime, Turn, UserTime


class Board:
    """A thread on a machine whose processor is given to others for half of the time."""

    class Clock(VirtualClock):
        def cpu_time(self) -> int:
            return self.monotonic() // 2

    def __init__(self) -> None:
        self.clock = self.Clock()
        self.turn = Turn(self.clock)
        self.cpu = CpuTime(self.turn)

    def start(self) -> None:
        self.turn.start()
        self.cpu.start()

    def stop(self) -> None:
        self.cpu.stop(*self.turn.times())

    def program(self, ns: int) -> None:
        self.clock.advance(ns)

    def kernel(self, ns: int, *, estimate: int | None = None) -> None:
        self.clock.advance(ns)
        self.turn.kernel_ns += ns if estimate is None else estimate


@pytest.fixture
def board() -> Board:
    return Board()


def test_is_a_part_of_the_cpu_time_what_it_is_of_the_time_that_passes(board: Board) -> None:
    board.start()
    board.program(6000)
    board.kernel(2000)
    assert board.cpu.split() == (3000, 1000) and board.cpu.monotonic() == 4000
    board.stop()
    assert board.cpu.split() == (3000, 1000) and board.cpu.monotonic() == 4000


def test_does_another_ones_turn_not_count(board: Board) -> None:
    board.start()
    board.program(2000)
    board.stop()
    board.turn.start()
    board.kernel(8000)
    assert board.cpu.split() == (1000, 0)
    board.start()
    board.kernel(2000)
    assert board.cpu.split() == (1000, 1000)


def test_does_neither_part_decrease_when_the_estimate_changes(board: Board) -> None:
    board.start()
    board.program(4000)
    assert board.cpu.split() == (2000, 0)
    board.kernel(0, estimate=3000)
    assert board.cpu.split() == (2000, 0)
    board.kernel(2000)
    assert board.cpu.split() == (2000, 1000)
    board.turn.kernel_ns = 0
    board.program(2000)
    assert board.cpu.split() == (3000, 1000)


def test_is_cpu_time_of_the_kernel_no_part_but_itself(board: Board) -> None:
    board.start()
    board.program(6000)
    board.kernel(2000, estimate=0)
    board.turn.kernel_cpu_ns = 500
    assert board.cpu.split() == (3500, 500)


def test_is_an_estimate_beyond_the_turn_all_of_it(board: Board) -> None:
    board.start()
    board.kernel(2000, estimate=10**9)
    assert board.cpu.split() == (0, 1000)


def test_does_the_clock_of_user_time_stand_while_the_kernel_works(board: Board) -> None:
    user = UserTime(board.cpu)
    board.start()
    board.program(2000)
    before = user.monotonic()
    board.kernel(2000)
    assert (before, user.monotonic()) == (1000, 1000)

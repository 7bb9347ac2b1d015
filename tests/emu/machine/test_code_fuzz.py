"""Random programs that patch themselves and each other: is the executed code that in memory?

Three frames of code are mapped at two places as executable and writable, in different order, and
once more as data. The programs store instructions around in them, straddling pages and overwriting
themselves. ``Reference`` says what each should leave in registers and memory.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from emu.machine.cause import Cause
from emu.machine.trap import Trap
from tests.emu.machine import asm, reference
from tests.emu.machine.board import FREE, RW, RWX, Board, address, ticking
from tests.emu.machine.reference import Reference, Unknown

FRAMES = 3
PAGES = {1: 0, 2: 1, 3: 2, 5: 2, 6: 0, 0x11: 0, 0x12: 1, 0x13: 2}
EXECUTABLE = {1, 2, 3, 5, 6}
POINTERS, ENCODINGS, COUNTERS, TURNS = range(5, 10), range(10, 16), range(20, 23), 30
PROGRAMS = 500


def instruction(generator: random.Random) -> bytes:
    pick, number = generator.choice, generator.random()
    if number < 0.25:
        return asm.addi(pick(COUNTERS), pick(COUNTERS), generator.randrange(-9, 9))
    if number < 0.35:
        return asm.c_addi(pick(COUNTERS), generator.randrange(-9, 9) or 1)
    if number < 0.60:
        offset = generator.randrange(-24, 24) & pick((~1, ~1, ~1, ~0))
        return asm.store(pick(("sb", "sh", "sw", "sd")), pick(ENCODINGS), pick(POINTERS), offset)
    if number < 0.65:
        return asm.c_access("c.sw", pick(ENCODINGS), pick((8, 9)), 4 * generator.randrange(6))
    if number < 0.72:
        pointer = pick(POINTERS)
        return asm.addi(pointer, pointer, pick((-8, -4, -2, 2, 4, 8)))
    if number < 0.76:
        return asm.beq(pick(COUNTERS), pick((20, 21, 0)), pick((4, 6, 8, 10, 12)))
    if number < 0.82:
        back = pick((4, 8, 12, 16, 20, 24, 30))
        return asm.addi(TURNS, TURNS, -1) + asm.bne(TURNS, asm.ZERO, -back)
    if number < 0.86:
        return asm.j(pick((0x1000, -0x1000, 0x2000, 8, 12)) + pick((0, 0, 2, -2, 4)))
    if number < 0.89:
        return asm.jalr(pick((0, 1)), pick(POINTERS), pick((0, 4, -4, 8)))
    if number < 0.92:
        return asm.FENCE_I
    if number < 0.95:
        return asm.amo("amoadd", pick((4, 8)), 23, pick((10, 24)), pick(POINTERS))
    if number < 0.98:
        return asm.ld(pick(ENCODINGS), pick(POINTERS), pick((0, 4, 8)))
    return asm.ECALL


class Program:
    """Memory, registers and pc to start with, all from one seed."""

    def __init__(self, seed: int) -> None:
        self.generator = generator = random.Random(seed)
        self.memory = bytearray(FRAMES << 12)
        for frame in range(FRAMES):
            for start in (0, 0xFB0):
                code = b"".join(instruction(generator) for _ in range(40))[: 0x1000 - start]
                at = frame * 0x1000 + start
                self.memory[at : at + len(code)] = code
        self.x = [0] * 32
        self.x[1] = address(1)
        for register in POINTERS:
            near = generator.choice((generator.randrange(40), generator.randrange(0x7D8, 0x800)))
            self.x[register] = address(generator.choice(list(PAGES)), 2 * near)
        for register in ENCODINGS:
            code = b"".join(instruction(generator) for _ in range(4))
            self.x[register] = int.from_bytes(code[:8], "little")
        self.x[24] = 1 << 7 * generator.randrange(1, 4)
        self.x[TURNS] = generator.randrange(2, 12)
        self.pc = address(generator.choice((1, 2, 3, 5)), generator.choice((0, 0xFB0)))

    def expected(self) -> tuple[Reference, str] | None:
        """The reference after the run; None when it does not end, or has an unknown instruction."""
        known = Reference(bytearray(self.memory), PAGES, EXECUTABLE)
        known.x, known.pc = list(self.x), self.pc
        try:
            end = known.run(limit=400)
        except Unknown:
            return None
        return None if end is None else (known, end)

    def load(self, board: Board) -> None:
        for frame in range(FRAMES):
            code = self.memory[frame << 12 : frame + 1 << 12]
            board.ram.write(board.pa(FREE + frame), bytes(code))
        for page, frame in PAGES.items():
            flags = RWX if page in EXECUTABLE else RW
            unused = self.generator.choice((0, 0xC0))  # A and D
            board.map(page, FREE + frame, flags & ~unused)
        board.hart.flush_tlb()
        for register in range(1, 32):
            board.hart.write(register, self.x[register])
        board.hart.pc = self.pc


def compare(board: Board, trap: Trap, known: Reference, end: str) -> None:
    causes = {
        reference.END: (Cause.ECALL_FROM_U,),
        reference.FETCH: (Cause.FETCH_PAGE_FAULT,),
        reference.ACCESS: (Cause.LOAD_PAGE_FAULT, Cause.STORE_PAGE_FAULT),
    }
    assert trap.cause in causes[end]
    assert trap.epc == known.pc
    assert [board.x(n) for n in range(1, 32)] == known.x[1:]
    memory = b"".join(board.ram.read_frame(board.ppn(FREE + frame)) for frame in range(FRAMES))
    assert memory == known.memory


def by_run(board: Board) -> Trap:
    trap = board.hart.run()
    while trap.cause == Cause.TIMER_INTERRUPT:
        trap = board.hart.run()
    return trap


def by_steps(board: Board) -> Trap:
    trap = board.hart.step()
    while trap is None:
        trap = board.hart.step()
    return trap


def by_counts(board: Board) -> Trap:
    while True:
        for count in (0, 2, 1, 5):
            trap = board.hart.run(count)
            if trap.cause != Cause.TIMER_INTERRUPT:
                return trap


@pytest.mark.parametrize("how", [by_run, by_steps, by_counts])
@pytest.mark.parametrize("first", [0, PROGRAMS])
def test_random_programs(board: Board, how: Callable[[Board], Trap], first: int) -> None:
    ended = 0
    for seed in range(first, first + PROGRAMS):
        program = Program(seed)
        expected = program.expected()
        if expected is None:
            continue
        program.load(board)
        trap = how(board)
        try:
            compare(board, trap, *expected)
        except AssertionError as error:
            raise AssertionError(f"program {seed}: {trap}") from error
        ended += 1
    assert ended > PROGRAMS // 3


@pytest.mark.parametrize("seconds", [0.001, 0.0])
def test_random_programs_under_interrupts(board: Board, seconds: float) -> None:
    """Interrupted every millisecond, and as often as the other thread can."""
    with ticking(board.hart, seconds):
        test_random_programs(board, by_run, 2 * PROGRAMS)


def test_steps_are_single(board: Board) -> None:
    """As many steps as the reference took, the last of them the trap."""
    for seed in range(PROGRAMS):
        program = Program(seed)
        expected = program.expected()
        if expected is None:
            continue
        program.load(board)
        steps = 1
        while board.hart.step() is None:
            steps += 1
        assert steps == expected[0].steps, f"program {seed}"

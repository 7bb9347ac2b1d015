"""Is changed code executed as changed, for any writer and any mapping?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emu.machine.cause import Cause
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, A3, A4, NOP, ZERO
from tests.emu.machine.board import FREE, RO, RW, RWX, RX, Board, address, ticking

CODE, OTHER, ALIAS, DATA = 1, 2, 5, 9


def sets_a0(value: int) -> bytes:
    return asm.li(A0, value)


def word_of(*instructions: bytes) -> int:
    return int.from_bytes(b"".join(instructions), "little")


@pytest.fixture(params=[0, 1, 3], ids=["run", "step", "count 3"])
def run(request: pytest.FixtureRequest, board: Board) -> Callable[..., None]:
    """Runs to the ecall at once, in single steps, or three instructions at a time."""
    count: int = request.param

    def to_ecall(pc: int, **registers: int) -> None:
        board.set(**registers)
        board.hart.pc = pc
        for _ in range(20_000):
            trap = board.hart.run(count)
            if trap.cause != Cause.TIMER_INTERRUPT:
                assert trap.cause == Cause.ECALL_FROM_U, trap
                return
        pytest.fail(f"gets nowhere at {board.hart.pc:#x}")

    return to_ecall


# The host changes it.


def changes_by_write(board: Board) -> None:
    board.write_code(FREE, sets_a0(2))


def changes_by_copy(board: Board) -> None:
    board.write_code(FREE + 9, sets_a0(2), asm.ECALL)
    board.ram.copy_frame(board.ppn(FREE + 9), board.ppn(FREE))


def changes_by_store64(board: Board) -> None:
    board.ram.store64(board.pa(FREE), word_of(sets_a0(2), asm.ECALL))


def changes_by_free_and_reuse(board: Board) -> None:
    board.unmap(CODE)
    board.hart.flush_tlb()
    board.ram.zero_frame(board.ppn(FREE))
    board.map(CODE, FREE, RX)
    board.write_code(FREE, sets_a0(2), asm.ECALL)


def changes_by_another_frame(board: Board) -> None:
    board.write_code(FREE + 9, sets_a0(2), asm.ECALL)
    board.map(CODE, FREE + 9, RX)
    board.hart.flush_tlb()


@pytest.mark.parametrize(
    "change",
    [
        changes_by_write,
        changes_by_copy,
        changes_by_store64,
        changes_by_free_and_reuse,
        changes_by_another_frame,
    ],
)
def test_the_host_changes_code(
    board: Board, run: Callable[..., None], change: Callable[[Board], None]
) -> None:
    board.map(CODE, FREE, RX)
    board.write_code(FREE, sets_a0(1), asm.ECALL)
    run(address(CODE))
    assert board.x(A0) == 1
    change(board)
    run(address(CODE))
    assert board.x(A0) == 2


def test_a_page_goes_back_and_forth_between_two_frames(board: Board) -> None:
    for frame in (FREE, FREE + 1):
        board.write_code(frame, sets_a0(frame), asm.ECALL)
    for _ in range(10):
        for frame in (FREE, FREE + 1):
            board.map(CODE, frame, RX)
            board.hart.flush_tlb()
            board.run_to_ecall(address(CODE))
            assert board.x(A0) == frame


def test_two_pages_show_one_frame(board: Board) -> None:
    board.map(CODE, FREE, RX)
    board.map(OTHER, FREE, RX)
    for value in (1, 2, 3):
        board.write_code(FREE, sets_a0(value), asm.ECALL)
        for page in (CODE, OTHER):
            board.run_to_ecall(address(page), x10=0)
            assert board.x(A0) == value


def test_code_that_lost_x_is_not_run(board: Board) -> None:
    board.map(CODE, FREE, RX)
    board.write_code(FREE, asm.ECALL)
    board.run_to_ecall(address(CODE))
    board.map(CODE, FREE, RO)
    board.hart.flush_tlb()
    assert board.run(address(CODE)).cause == Cause.FETCH_PAGE_FAULT


def test_a_zeroed_frame_is_illegal(board: Board) -> None:
    board.map(CODE, FREE, RX)
    board.write_code(FREE, asm.ECALL)
    board.run_to_ecall(address(CODE))
    board.ram.zero_frame(board.ppn(FREE))
    assert board.run(address(CODE)).cause == Cause.ILLEGAL_INSTRUCTION


# The program changes it: in its own page.


@pytest.mark.parametrize("fence", [b"", asm.FENCE_I], ids=["no fence", "fence.i"])
@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_a_store_ahead_in_its_own_page(
    board: Board, run: Callable[..., None], ahead: int, fence: bytes
) -> None:
    """Also to the next instruction."""
    board.map(CODE, FREE, RWX)
    board.write_code(FREE, asm.sw(A1, A2), fence, NOP * ahead, sets_a0(1), asm.ECALL)
    patched = address(CODE, 4 + len(fence) + 4 * ahead)
    run(address(CODE), x11=word_of(sets_a0(2)), x12=patched)
    assert board.x(A0) == 2


def test_a_store_to_itself(board: Board, run: Callable[..., None]) -> None:
    """The new instruction is executed when the loop reaches it again."""
    board.map(CODE, FREE, RWX)
    board.write_code(FREE, asm.sw(A1, A2), asm.ECALL)
    run(address(CODE), x11=word_of(sets_a0(7)), x12=address(CODE), x10=0)
    assert board.x(A0) == 0
    run(address(CODE))
    assert board.x(A0) == 7


LOOP = (
    asm.addi(A0, A0, 0),  # patched: its immediate becomes 1, then 2, …
    asm.add(A1, A1, A3),
    asm.sw(A1, A2),
    asm.addi(A4, A4, -1),
    asm.bne(A4, ZERO, -16),
    asm.ECALL,
)
TURNS = 100


def test_a_loop_that_patches_itself(board: Board, run: Callable[..., None]) -> None:
    board.map(CODE, FREE, RWX)
    board.write_code(FREE, *LOOP)
    first = word_of(asm.addi(A0, A0, 0))
    run(address(CODE), x10=0, x11=first, x12=address(CODE), x13=1 << 20, x14=TURNS)
    assert board.x(A0) == sum(range(TURNS))


def test_a_loop_that_patches_itself_through_an_alias(
    board: Board, run: Callable[..., None]
) -> None:
    board.map(CODE, FREE, RX)
    board.map(ALIAS, FREE, RW)
    board.write_code(FREE, *LOOP)
    first = word_of(asm.addi(A0, A0, 0))
    run(address(CODE), x10=0, x11=first, x12=address(ALIAS), x13=1 << 20, x14=TURNS)
    assert board.x(A0) == sum(range(TURNS))


@pytest.mark.parametrize("seconds", [0.001, 0.0001])
def test_a_loop_that_patches_itself_under_interrupts(board: Board, seconds: float) -> None:
    board.map(CODE, FREE, RWX)
    first = word_of(asm.addi(A0, A0, 0))
    turns = 2_000
    with ticking(board.hart, seconds):
        for _ in range(3):
            board.write_code(FREE, *LOOP)
            board.run_to_ecall(
                address(CODE), x10=0, x11=first, x12=address(CODE), x13=1 << 20, x14=turns
            )
            assert board.x(A0) == sum(n - 4096 * ((n + 2048) // 4096) for n in range(turns))


# The program changes it: in other pages.


def test_a_page_written_then_run_again_and_again(board: Board, run: Callable[..., None]) -> None:
    """As a just-in-time compiler does."""
    board.map(CODE, FREE, RX)
    board.map(OTHER, FREE + 1, RWX)
    board.write_code(
        FREE,
        asm.sw(A1, A2),
        asm.FENCE_I,
        asm.jalr(asm.RA, A2),
        asm.add(A1, A1, A3),
        asm.addi(A4, A4, -1),
        asm.bne(A4, ZERO, -20),
        asm.ECALL,
    )
    board.write_code(FREE + 1, NOP, asm.jr(asm.RA))
    first = word_of(asm.addi(A0, A0, 0))
    run(address(CODE), x10=0, x11=first, x12=address(OTHER), x13=1 << 20, x14=TURNS)
    assert board.x(A0) == sum(range(TURNS))


def test_two_pages_that_patch_each_other(board: Board, run: Callable[..., None]) -> None:
    """Each writes into the other the instruction that counts, then jumps there."""
    board.map(CODE, FREE, RWX)
    board.map(OTHER, FREE + 1, RWX)
    body = (asm.sw(A1, A2), asm.addi(A4, A4, -1), asm.bne(A4, ZERO, 8), asm.ECALL)
    there, back = asm.j(0x1000 - 20), asm.j(-0x1000 - 20)
    board.write_code(FREE, NOP, asm.sw(A1, A3), *body[1:], there)
    board.write_code(FREE + 1, NOP, *body, back)
    count = word_of(asm.addi(A0, A0, 1))
    pages = {"x12": address(CODE), "x13": address(OTHER)}
    run(address(CODE), x10=0, x11=count, x14=TURNS, **pages)
    assert board.x(A0) == TURNS - 1


@pytest.mark.parametrize("split", [2, 4, 6])
@pytest.mark.parametrize("code_first", [True, False])
def test_a_store_that_straddles_data_and_code(
    board: Board, run: Callable[..., None], split: int, code_first: bool
) -> None:
    """``split`` bytes go to the first page. The code is in one of the two, also the store's own."""
    first, second = (OTHER, OTHER + 1)
    code = first if code_first else second
    board.map(first, FREE, RWX if code_first else RW)
    board.map(second, FREE + 1, RW if code_first else RWX)
    frame = FREE if code_first else FREE + 1
    patched = address(second, -split if code_first else 0)
    board.write_code(frame, asm.sd(A1, A2), asm.j(patched - address(code, 0x104)), offset=0x100)
    value = word_of(asm.c_addi(A0, 3), asm.c_addi(A0, 3), asm.c_addi(A0, 3), asm.c_addi(A0, 3))
    count = (split if code_first else 8 - split) // 2
    if code_first:  # the code ends at the page's end, and goes on in a page that holds an ecall
        board.map(second, FREE + 1, RWX)
        board.write_code(FREE + 1, *[asm.C_NOP] * 4, asm.ECALL)
        count = 4
    else:
        board.write_code(frame, *[asm.C_NOP] * 4, asm.ECALL)
    run(address(code, 0x100), x10=0, x11=value, x12=address(second, -split))
    assert board.x(A0) == 3 * count


def test_a_block_that_runs_on_into_the_page_it_patches(
    board: Board, run: Callable[..., None]
) -> None:
    """The patched instruction is 4 bytes, half of it in each page, right behind the store."""
    board.map(CODE, FREE, RX)
    board.map(OTHER, FREE + 1, RWX)
    board.write_code(FREE, asm.store("sh", A1, A2), sets_a0(1)[:2], offset=0xFFA)
    board.write_code(FREE + 1, sets_a0(1)[2:], asm.ECALL)
    upper_half = word_of(sets_a0(2)) >> 16
    run(address(CODE, 0xFFA), x11=upper_half, x12=address(OTHER))
    assert board.x(A0) == 2


def test_a_patch_ahead_of_a_crossing_into_an_unmapped_page(board: Board) -> None:
    """The engine has to stop before the crossing; the store needs both rights at that very time."""
    board.map(CODE, FREE, RWX)
    board.write_code(FREE, NOP, asm.sw(A1, A2), sets_a0(1)[:2], offset=0xFF6)
    for _ in range(3):
        trap = board.run(address(CODE, 0xFF6), x11=5, x12=address(CODE, 0x100))
        assert (trap.cause, trap.epc) == (Cause.FETCH_PAGE_FAULT, address(CODE, 0xFFE))
    assert board.read(FREE, 0x100, 4) == 5
    board.map(OTHER, FREE + 1, RX)
    board.write_code(FREE + 1, sets_a0(1)[2:], asm.ECALL)
    board.run_to_ecall()
    assert board.x(A0) == 1


def test_a_page_that_was_data_is_run_then_written_again(board: Board) -> None:
    """Rights that were in the TLB before the page was code are gone afterwards."""
    board.map(CODE, FREE, RX)
    board.map(OTHER, FREE + 1, RWX)
    store_and_call = (asm.sw(A1, A2), asm.jalr(asm.RA, A2), asm.ECALL)
    board.write_code(FREE, *store_and_call)
    board.write_code(FREE + 1, NOP, asm.jr(asm.RA))
    for value in range(20):
        board.run_to_ecall(address(CODE), x11=word_of(sets_a0(value)), x12=address(OTHER))
        assert board.x(A0) == value


@pytest.mark.parametrize("opening", ["load", "store"])
def test_a_right_to_write_through_an_alias_ends_when_the_code_is_run(
    board: Board, run: Callable[..., None], opening: str
) -> None:
    """However the alias came into the TLB: by a load of a dirty page, or by a store before."""
    board.map(CODE, FREE, RX)
    board.map(OTHER, FREE + 1, RX)
    board.map(ALIAS, FREE + 1, RW)
    call, patch = asm.jalr(asm.RA, A4), (asm.sw(A1, A2), asm.add(A1, A1, A3))
    first = (asm.ld(ZERO, A2),) if opening == "load" else patch
    board.write_code(FREE, call, *first, call, *patch * 2, call, *patch, call, asm.ECALL)
    board.write_code(FREE + 1, asm.addi(A0, A0, 1), asm.jr(asm.RA))
    registers = {"x11": word_of(asm.addi(A0, A0, 1)), "x12": address(ALIAS), "x14": address(OTHER)}
    run(address(CODE), x10=0, x13=1 << 20, **registers)
    assert board.x(A0) == (1 + 1 + 2 + 3 if opening == "load" else 1 + 1 + 3 + 4)


def test_an_atomic_that_patches(board: Board, run: Callable[..., None]) -> None:
    board.map(CODE, FREE, RWX)
    board.write_code(FREE, asm.amo("amoadd", 4, ZERO, A1, A2), sets_a0(1), asm.ECALL)
    run(address(CODE), x11=4 << 20, x12=address(CODE, 4))
    assert board.x(A0) == 5


def test_the_walker_sets_a_and_d_in_a_frame_that_was_code(board: Board) -> None:
    """The page table's own frame is mapped and run; a walk that writes to it makes it stale."""
    table_frame = (board.pte_address(CODE) >> 12) - board.ram.first_ppn
    board.map(CODE, table_frame, RX)
    board.map(DATA, FREE, RW & ~0xC0)
    board.write_code(table_frame, asm.ld(A0, A1), asm.ECALL, offset=0x800)
    board.run_to_ecall(address(CODE, 0x800), x11=address(DATA))
    assert board.ram.code_is_stale
    board.run_to_ecall(address(CODE, 0x800), x11=address(DATA))

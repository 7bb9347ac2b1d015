"""Is each data access's trap precise: cause, epc and the exact address?"""

from __future__ import annotations

import pytest

from emu.machine.cause import Access, Cause
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, NOP, SP
from tests.emu.machine.board import CLEAN_RW, FREE, RO, RW, RX, Board, address

CODE, UNMAPPED, READ_ONLY, DATA, AFTER = 1, 5, 7, 9, 10
LOAD_FAULT, STORE_FAULT = Cause.LOAD_PAGE_FAULT, Cause.STORE_PAGE_FAULT

LOADS = (*asm.LOADS, *asm.FP_LOADS)
STORES = (*asm.STORES, *asm.FP_STORES)


@pytest.fixture(autouse=True)
def mapped(board: Board) -> None:
    """CODE is executable, READ_ONLY and DATA are mapped; AFTER, the page after DATA, isn't."""
    board.map(CODE, FREE, RX)
    board.map(READ_ONLY, FREE + 1, RO)
    board.map(DATA, FREE + 2, RW)


def expect(board: Board, code: bytes, cause: Cause, tval: int, **registers: int) -> None:
    """Runs ``code`` as the third instruction of a block; it must trap so."""
    board.write_code(FREE, NOP, asm.C_NOP, code, asm.ECALL)
    trap = board.run(address(CODE), **registers)
    assert (trap.cause, trap.epc) == (cause, address(CODE, 6))
    assert board.hart.pc == trap.epc
    assert trap.page == tval & ~0xFFF
    assert trap.tval == tval


@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("imm", [0, 24, -8, -2048, 2040])
def test_loads_of_every_width(board: Board, name: str, imm: int) -> None:
    base = address(UNMAPPED, 0x800)
    expect(board, asm.load(name, A1, A0, imm), LOAD_FAULT, base + imm, x10=base)


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("imm", [0, 24, -8, -2048, 2040])
def test_stores_of_every_width(board: Board, name: str, imm: int) -> None:
    base = address(READ_ONLY, 0x800)
    expect(board, asm.store(name, A1, A0, imm), STORE_FAULT, base + imm, x10=base)


@pytest.mark.parametrize("name", [name for name in LOADS if asm.SIZE[name] > 1])
def test_loads_that_straddle(board: Board, name: str) -> None:
    """The address is the access's own when its first page faults, else where the second begins."""
    for inside in range(1, asm.SIZE[name]):
        start = address(AFTER) - inside
        expect(board, asm.load(name, A1, A0), LOAD_FAULT, address(AFTER), x10=start)
        start = address(DATA) - inside
        expect(board, asm.load(name, A1, A0), LOAD_FAULT, start, x10=start)


@pytest.mark.parametrize("name", [name for name in STORES if asm.SIZE[name] > 1])
def test_stores_that_straddle_write_nothing(board: Board, name: str) -> None:
    for inside in range(1, asm.SIZE[name]):
        start = address(AFTER) - inside
        values = {"x10": start, "x11": (1 << 64) - 1}
        expect(board, asm.store(name, A1, A0), STORE_FAULT, address(AFTER), **values)
        start = address(DATA) - inside
        values["x10"] = start
        expect(board, asm.store(name, A1, A0), STORE_FAULT, start, **values)
    assert board.read(FREE + 2, 0) == 0
    assert board.read(FREE + 2, 0xFF8) == 0


def test_a_straddling_store_from_a_writable_to_a_read_only_page(board: Board) -> None:
    board.map(AFTER, FREE + 1, RO)
    expect(board, asm.sd(A1, A0), STORE_FAULT, address(AFTER), x10=address(AFTER, -1))
    board.map(AFTER, FREE + 3, RW)
    board.map(DATA, FREE + 2, RO)
    board.hart.flush_tlb()
    expect(board, asm.sd(A1, A0), STORE_FAULT, address(AFTER, -1), x10=address(AFTER, -1))


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("name", asm.AMOS)
def test_an_amo_always_faults_as_a_store(board: Board, name: str, size: int) -> None:
    code = asm.amo(name, size, A2, A1, A0)
    for page in (UNMAPPED, READ_ONLY):
        expect(board, code, STORE_FAULT, address(page, 16), x10=address(page, 16))


@pytest.mark.parametrize("size", [4, 8])
def test_lr_faults_as_a_load(board: Board, size: int) -> None:
    target = address(UNMAPPED, 16)
    expect(board, asm.lr(size, A1, A0), LOAD_FAULT, target, x10=target)


@pytest.mark.parametrize("size", [4, 8])
def test_sc_faults_as_a_store(board: Board, size: int) -> None:
    target = address(READ_ONLY, 16)
    board.write_code(FREE, asm.lr(size, A1, A0), asm.sc(size, A1, A2, A0))
    trap = board.run(address(CODE), x10=target)
    assert (trap.cause, trap.epc, trap.tval) == (STORE_FAULT, address(CODE, 4), target)


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("page", [DATA, UNMAPPED])
def test_atomics_must_be_aligned(board: Board, size: int, page: int) -> None:
    """Misalignment comes before a page fault."""
    for offset in range(1, size):
        target = address(page, 0x100 + offset)
        code = asm.amo("amoadd", size, A2, A1, A0)
        expect(board, code, Cause.STORE_MISALIGNED, target, x10=target)
        expect(board, asm.lr(size, A1, A0), Cause.LOAD_MISALIGNED, target, x10=target)


@pytest.mark.parametrize("name", asm.C_LOADS)
@pytest.mark.parametrize("scale", [0, 1, 2, 9, 31])
def test_compressed_loads(board: Board, name: str, scale: int) -> None:
    offset = scale * asm.C_SIZE[name]
    code = asm.c_access(name, A1, A0, offset)
    base = address(UNMAPPED, 0x100)
    expect(board, code, LOAD_FAULT, base + offset, x10=base)


@pytest.mark.parametrize("name", asm.C_STORES)
@pytest.mark.parametrize("scale", [0, 1, 2, 9, 31])
def test_compressed_stores(board: Board, name: str, scale: int) -> None:
    offset = scale * asm.C_SIZE[name]
    code = asm.c_access(name, A1, A0, offset)
    base = address(READ_ONLY, 0x100)
    expect(board, code, STORE_FAULT, base + offset, x10=base)


@pytest.mark.parametrize("name", (*asm.C_SP_LOADS, *asm.C_SP_STORES))
@pytest.mark.parametrize("scale", [0, 1, 2, 9, 33, 63])
def test_compressed_accesses_through_sp(board: Board, name: str, scale: int) -> None:
    offset = scale * asm.C_SIZE[name]
    is_load = name in asm.C_SP_LOADS
    code = (asm.c_sp_load if is_load else asm.c_sp_store)(name, A1, offset)
    base = address(READ_ONLY if not is_load else UNMAPPED, 0x100)
    cause = LOAD_FAULT if is_load else STORE_FAULT
    expect(board, code, cause, base + offset, **{f"x{SP}": base})


def test_a_straddling_access_through_sp(board: Board) -> None:
    code = asm.c_sp_store("c.fsdsp", A1, 8)
    expect(board, code, STORE_FAULT, address(AFTER), x2=address(AFTER, -12))


@pytest.mark.parametrize("base", [0, 1 << 38, (1 << 63) + 8, (1 << 64) - (1 << 38) - 8])
def test_addresses_outside_memory(board: Board, base: int) -> None:
    expect(board, asm.ld(A1, A0), LOAD_FAULT, base, x10=base)
    expect(board, asm.sd(A1, A0), STORE_FAULT, base, x10=base)


def test_addresses_wrap(board: Board) -> None:
    top = (1 << 64) - 8
    expect(board, asm.ld(A1, A0, -8), LOAD_FAULT, top, x10=0)
    expect(board, asm.ld(A1, asm.ZERO, -8), LOAD_FAULT, top)
    expect(board, asm.ld(A1, A0, 2040), LOAD_FAULT, 2032, x10=top)
    expect(board, asm.ld(A1, A0, 4), LOAD_FAULT, (1 << 64) - 4, x10=top)


def test_an_access_that_wraps_to_zero(board: Board) -> None:
    last = (1 << 52) - 1
    board.map(last, FREE + 2, RW)
    expect(board, asm.sd(A1, A0), STORE_FAULT, 0, x10=(1 << 64) - 4)


def test_a_page_outside_ram_is_an_access_fault(board: Board) -> None:
    for page, frame in ((UNMAPPED, board.ram.frame_count), (READ_ONLY, -1)):
        board.map(page, frame, RW)
        target = address(page, 40)
        expect(board, asm.ld(A1, A0), Cause.LOAD_ACCESS_FAULT, target, x10=target)
        expect(board, asm.sd(A1, A0), Cause.STORE_ACCESS_FAULT, target, x10=target)
        code = asm.amo("amoadd", 8, A2, A1, A0)
        expect(board, code, Cause.STORE_ACCESS_FAULT, target, x10=target)


def test_a_fault_carries_the_mmus_account(board: Board) -> None:
    board.write_code(FREE, asm.sd(A1, A0))
    trap = board.run(address(CODE), x10=address(READ_ONLY, 8))
    assert trap.fault is not None
    assert trap.fault.access is Access.STORE
    assert trap.fault.walk[-1].pte == board.pte(READ_ONLY)


def test_the_faulting_instruction_has_done_nothing(board: Board) -> None:
    """Base and destination are the same register, and the address is found from it."""
    expect(board, asm.ld(A0, A0, 8), LOAD_FAULT, address(UNMAPPED, 8), x10=address(UNMAPPED))
    assert board.x(A0) == address(UNMAPPED)
    code = asm.amo("amoadd", 8, A0, A0, A0)
    expect(board, code, STORE_FAULT, address(UNMAPPED), x10=address(UNMAPPED))
    assert board.x(A0) == address(UNMAPPED)


def test_a_store_to_a_clean_page_is_not_a_trap(board: Board) -> None:
    board.map(DATA, FREE + 2, CLEAN_RW)
    board.write_code(FREE, asm.sd(A1, A0), asm.ECALL)
    board.run_to_ecall(address(CODE), x10=address(DATA), x11=5)
    assert board.read(FREE + 2) == 5

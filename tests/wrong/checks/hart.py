"""The hart: what it reports of a trap, and whether its two caches are coherent."""

from __future__ import annotations

from emu.machine.cause import Access, Cause
from emu.machine.registers import Registers
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, A3, A4, NOP
from tests.emu.machine.board import CLEAN_RW, FREE, RO, RW, RWX, RX, Board, address
from tests.wrong.checks.check import Checks, same

CHECKS = Checks("hart")
CODE, DATA, NEXT, ALIAS = 1, 4, 5, 8


def board_with(*code: bytes, offset: int = 0) -> Board:
    board = Board(1)
    board.map(CODE, FREE, RX)
    board.map(CODE + 1, FREE + 1, RX)
    board.write_code(FREE, *code, offset=offset)
    return board


def trap_of(board: Board, cause: int, epc: int, tval: int | None, **registers: int) -> None:
    trap = board.run(epc if "pc" not in registers else registers.pop("pc"), **registers)
    same(trap.cause.name, Cause(cause).name, "scause")
    same(hex(trap.epc), hex(epc), "sepc")
    if tval is not None:
        same(hex(trap.tval), hex(tval), "stval")


def value(board: Board, expected: int, what: str, register: int = A0) -> None:
    same(board.x(register), expected, what)


# Values of a trap.


@CHECKS
def ecall_is_where_it_stands() -> None:
    trap_of(board_with(NOP, asm.ECALL), 8, address(CODE, 4), None, pc=address(CODE))


@CHECKS
def stval_is_the_exact_address() -> None:
    board = board_with(asm.lw(A0, A1, -4))
    trap_of(board, 13, address(CODE), address(DATA, 0x120), x11=address(DATA, 0x124))


@CHECKS
def stval_of_a_compressed_load() -> None:
    board = board_with(asm.half(0x4188))  # c.lw a0, 0(a1)
    trap_of(board, 13, address(CODE), address(DATA, 8), x11=address(DATA, 8))


@CHECKS
def stval_of_a_store_that_straddles_is_its_second_page() -> None:
    board = board_with(asm.sd(A0, A1))
    board.map(DATA, FREE + 2, RW)
    trap_of(board, 15, address(CODE), address(NEXT), x11=address(DATA, 0xFFC))
    same(board.read(FREE + 2, 0xFF8), 0, "what the refused store wrote")


@CHECKS
def amo_and_sc_fault_as_stores() -> None:
    for code in (asm.amo("amoadd", 8, A0, A2, A1), asm.r_type(0x2F, A0, 3, A1, A2, 0x0C)):
        board = board_with(code)
        board.run(address(CODE), x11=address(DATA))
        if code[3] >> 3 != 3:  # an SC without a reservation may fail without looking
            trap_of(board, 15, address(CODE), address(DATA), x11=address(DATA))


@CHECKS
def a_jump_to_nothing_faults_there() -> None:
    trap_of(board_with(asm.jr(A1)), 12, address(77), address(77), pc=address(CODE),
            x11=address(77))  # fmt: skip


@CHECKS
def an_instruction_that_crosses_into_nothing_faults_after_those_before_it() -> None:
    board = board_with(asm.li(A0, 5), asm.half(0x0001), asm.li(A2, 1)[:2], offset=0xFF8)
    board.unmap(CODE + 1)
    trap_of(board, 12, address(CODE, 0xFFE), address(CODE + 1), pc=address(CODE, 0xFF8), x10=0)
    value(board, 5, "the instruction ahead")


# The TLB.


@CHECKS
def a_right_that_was_taken_away_is_gone_after_a_flush() -> None:
    board = board_with(asm.sd(A0, A1), asm.ECALL)
    board.map(DATA, FREE + 2, RW)
    board.run_to_ecall(address(CODE), x11=address(DATA))
    board.map(DATA, FREE + 2, RO)
    board.hart.flush_tlb()
    trap_of(board, 15, address(CODE), address(DATA), x11=address(DATA))


@CHECKS
def a_load_leaves_no_right_to_store() -> None:
    board = board_with(asm.ld(A0, A1), asm.sd(A0, A1))
    board.map(DATA, FREE + 2, RO)
    trap_of(board, 15, address(CODE, 4), address(DATA), pc=address(CODE), x11=address(DATA))


@CHECKS
def a_load_leaves_no_right_to_fetch() -> None:
    for flags in (RW, RO):
        board = board_with(asm.ld(A0, A1), asm.jr(A1))
        board.map(DATA, FREE + 2, flags)
        trap_of(board, 12, address(DATA), address(DATA), pc=address(CODE), x11=address(DATA))


@CHECKS
def a_fetch_leaves_no_right_to_load() -> None:
    board = board_with(asm.jr(A1))
    board.map(DATA, FREE + 2, RX & ~2)
    board.write_code(FREE + 2, asm.ld(A0, A1))
    trap_of(board, 13, address(DATA), address(DATA), pc=address(CODE), x11=address(DATA))


@CHECKS
def the_first_store_after_a_load_sets_d() -> None:
    board = board_with(asm.ld(A0, A1), asm.sd(A0, A1), asm.ECALL)
    board.map(DATA, FREE + 2, CLEAN_RW)
    board.run_to_ecall(address(CODE), x11=address(DATA))
    same(board.pte(DATA) >> 6 & 3, 3, "D and A of the page")


@CHECKS
def another_address_space_is_another_memory() -> None:
    board = board_with(asm.ld(A0, A1), asm.ECALL)
    other = board.new_root()
    for page, frame, flags in ((CODE, FREE, RX), (DATA, FREE + 3, RW)):
        at = board.pte_address(page, other)
        board.ram.store64(at, board.ppn(frame) << 10 | flags | 1)
    board.map(DATA, FREE + 2, RW)
    board.write(FREE + 2, b"\x01")
    board.write(FREE + 3, b"\x02")
    for root, expected in ((board.root, 1), (other, 2), (board.root, 1)):
        board.hart.set_satp(8 << 60 | root)
        board.run_to_ecall(address(CODE), x11=address(DATA))
        value(board, expected, f"loaded in space {root:#x}")


@CHECKS
def a_switch_ends_the_reservation_of_lr() -> None:
    lr = asm.r_type(0x2F, A0, 3, A1, 0, 0x08)
    sc = asm.r_type(0x2F, A0, 3, A1, A2, 0x0C)
    board = board_with(lr, asm.ECALL, sc, asm.ECALL)
    board.map(DATA, FREE + 2, RW)
    board.run_to_ecall(address(CODE), x11=address(DATA), x12=7)
    registers = Registers()
    board.hart.save(registers)
    board.hart.load(registers)
    board.run_to_ecall(address(CODE, 8))
    same((board.x(A0) != 0, board.read(FREE + 2)), (True, 0), "the SC failed, and memory")


# Translated code.


def runs(board: Board, expected: int, what: str) -> None:
    board.run_to_ecall(address(CODE))
    value(board, expected, what)


@CHECKS
def code_the_host_writes_is_run() -> None:
    board = board_with(asm.li(A0, 1), asm.ECALL)
    runs(board, 1, "a0")
    board.write_code(FREE, asm.li(A0, 2))
    runs(board, 2, "a0 after the host wrote the code")


@CHECKS
def code_the_kernel_copies_is_run() -> None:
    board = board_with(asm.li(A0, 1), asm.ECALL)
    runs(board, 1, "a0")
    board.write_code(FREE + 9, asm.li(A0, 2), asm.ECALL)
    board.ram.copy_frame(board.ppn(FREE + 9), board.ppn(FREE))
    runs(board, 2, "a0 after the code's frame was copied over")


@CHECKS
def a_zeroed_frame_is_not_code() -> None:
    board = board_with(asm.li(A0, 1), asm.ECALL)
    runs(board, 1, "a0")
    board.ram.zero_frame(board.ppn(FREE))
    same(board.run(address(CODE)).cause.name, "ILLEGAL_INSTRUCTION", "zeroes run")


@CHECKS
def code_stored_as_a_word_is_run() -> None:
    board = board_with(asm.li(A0, 1), asm.ECALL)
    runs(board, 1, "a0")
    code = asm.li(A0, 2) + asm.ECALL
    board.ram.store64(board.pa(FREE), int.from_bytes(code, "little"))
    runs(board, 2, "a0 after a 64-bit store")


@CHECKS
def code_the_program_writes_through_an_alias_is_run() -> None:
    board = board_with(asm.sw(A3, A2), asm.jr(A4))
    board.map(DATA, FREE + 2, RX)
    board.map(ALIAS, FREE + 2, RW)
    board.write_code(FREE + 2, asm.li(A0, 1), asm.ECALL)
    board.run_to_ecall(address(DATA))
    for number in (2, 3):
        patch = int.from_bytes(asm.li(A0, number), "little")
        board.run_to_ecall(address(CODE), x12=address(ALIAS), x13=patch, x14=address(DATA))
        value(board, number, "a0 after a store through an alias")


@CHECKS
def code_a_program_writes_into_its_own_page_is_run() -> None:
    board = board_with(asm.sw(A1, A2), NOP, asm.li(A0, 1), asm.ECALL)
    board.map(CODE, FREE, RWX)
    patch = int.from_bytes(asm.li(A0, 2), "little")
    board.run_to_ecall(address(CODE), x11=patch, x12=address(CODE, 8))
    value(board, 2, "a0")


# Faults that the vector handles.


class Mapping:
    """A vector that maps the page of each fault, and flushes the TLB."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.offered: list[tuple[str, int]] = []
        """Each fault's access, and stval."""

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        return None

    def page_fault(self, page: int, access: Access) -> bool:
        trap = self.board.hart.offered_trap()
        self.offered.append((access.name, 0 if trap is None else trap.tval))
        if access is Access.FETCH:
            return False
        self.board.map(page >> 12, FREE + (page >> 12), RW if access is Access.STORE else RO)
        self.board.hart.flush_tlb()
        return True


@CHECKS
def the_fault_of_an_amo_is_that_of_a_store() -> None:
    amo = asm.amo("amoadd", 8, A1, A2, A0)
    for code in ((amo, asm.ECALL), (asm.sd(A1, A3), amo, asm.ECALL)):
        board = board_with(*code)
        board.hart.vector = Mapping(board)
        trap = board.run(address(CODE), x10=address(DATA), x13=address(NEXT))
        same(trap.cause.name, Cause.STORE_PAGE_FAULT.name, "scause of an AMO")
        board.map(DATA, FREE + DATA, RW)
        board.run_to_ecall()
        board.hart.flush_tlb()
        board.unmap(DATA)
        trap = board.run(address(CODE), x10=address(DATA), x13=address(NEXT))
        same(trap.cause.name, Cause.STORE_PAGE_FAULT.name, "scause of an AMO that ran before")


@CHECKS
def a_fetch_from_the_next_page_comes_after_the_instructions_before_it() -> None:
    board = board_with(asm.sd(A1, A0), asm.ECALL, offset=0xFFA)
    board.unmap(CODE + 1)
    vector = board.hart.vector = Mapping(board)
    board.run(address(CODE, 0xFFA), x10=address(DATA))
    same(vector.offered, [("STORE", address(DATA))], "faults that are offered")


class Remapping(Mapping):
    """Maps another frame of code at each call."""

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        self.board.map(CODE, FREE + 3, RX)
        self.board.unmap(DATA)
        self.board.hart.flush_tlb()
        return arguments[0]


@CHECKS
def stval_is_that_of_the_instruction_which_is_mapped_there_now() -> None:
    board = board_with(asm.sd(A1, A0, 8), asm.ECALL, asm.j(-8))
    board.write_code(FREE + 3, asm.sd(A1, A0, 24), asm.ILLEGAL, asm.j(-8))
    vector = board.hart.vector = Remapping(board)
    board.run(address(CODE), x10=address(DATA))
    same([stval for _, stval in vector.offered], [address(DATA, 8), address(DATA, 24)], "stval")


@CHECKS
def a_step_asks_for_no_page_of_the_next_instruction() -> None:
    board = board_with(asm.jr(A0))
    vector = board.hart.vector = Mapping(board)
    board.hart.pc = address(CODE)
    board.set(x10=address(77))
    board.hart.step()
    same(vector.offered, [], "faults that the vector saw")


class _Unmaps(Mapping):
    """Its call unmaps the page NEXT; it handles no fetch."""

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        self.board.unmap(NEXT)
        self.board.hart.flush_tlb()
        return 0


@CHECKS
def the_engine_fetches_before_a_breakpoint_without_a_fault() -> None:
    board = board_with(asm.ECALL, asm.jr(A1))
    board.map(NEXT, FREE + 3, RX)
    board.hart.breakpoints = {address(NEXT, 0x100)}
    vector = board.hart.vector = _Unmaps(board)
    trap = board.run(address(CODE), x11=address(NEXT))
    same((trap.cause.name, trap.epc), ("FETCH_PAGE_FAULT", address(NEXT)), "the trap")
    same(vector.offered, [("FETCH", address(NEXT))], "faults that the vector saw")

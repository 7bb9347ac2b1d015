"""Properties of Unicorn on which emu depends. A failure after an upgrade names the change."""

from __future__ import annotations

import pytest
from unicorn import riscv_const as rv
from unicorn import unicorn_const

from emu.machine import engine as e
from emu.machine import unicorn_library
from emu.machine.engine import Engine
from emu.machine.engine_hooks import TlbFiller
from emu.machine.pte import PAGE_SIZE
from emu.machine.ram import Ram
from emu.machine.registers import FCSR, PC, Registers
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, A3, A4, NOP, ZERO

RW, RX, RWX = e.PERM_R | e.PERM_W, e.PERM_R | e.PERM_X, e.PERM_R | e.PERM_W | e.PERM_X
CODE, NEXT, DATA = 0x1000, 0x2000, 0x8000


class Bench(TlbFiller):
    """A bare engine: ``pages`` is its page table; records the engine's callbacks."""

    def __init__(self) -> None:
        self.ram = Ram(1 << 20)
        self.pages = {CODE: (0, RX), DATA: (1, RW)}
        self.fills: list[tuple[int, int]] = []
        self.pcs: list[int] = []
        """The engine's pc in each of them."""
        self.exceptions: list[tuple[int, int]] = []
        self.invalid: list[int] = []
        self.flush_at_fill = False
        self.engine = Engine(self.ram, self, self.on_exception, self.on_invalid)

    def fill(self, va: int, access: int) -> int:
        self.fills.append((va, access))
        self.pcs.append(self.engine.pc())
        if self.flush_at_fill:
            self.engine.flush_tlb()
        frame, permissions = self.pages.get(va, (0, 0))
        return permissions and self.ram.base + frame * PAGE_SIZE | permissions

    def on_exception(self, cause: int) -> bool:
        self.exceptions.append((cause, self.engine.read(PC)))
        self.engine.stop()
        return False

    def on_invalid(self) -> None:
        self.invalid.append(self.engine.read(PC))

    def code(self, *instructions: bytes, at: int = CODE) -> None:
        frame, _ = self.pages[at & ~0xFFF]
        self.write(frame, at & 0xFFF, b"".join(instructions))

    def write(self, frame: int, offset: int, data: bytes) -> None:
        start = frame * PAGE_SIZE + offset
        self.ram.bytes[start : start + len(data)] = data

    def word(self, offset: int = 0, frame: int = 1) -> int:
        return self.ram.words[(frame * PAGE_SIZE + offset) >> 3]

    def run(self, pc: int = CODE, count: int = 0, **registers: int) -> int:
        for name, value in registers.items():
            self.engine.write(int(name.removeprefix("x")), value)
        self.fills.clear()
        self.pcs.clear()
        return self.engine.run(pc, count)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_constants_are_unicorns() -> None:
    ours = {name: value for name, value in vars(unicorn_library).items() if name.startswith("UC_")}
    assert ours == {name: getattr(rv, name, None) or vars(unicorn_const)[name] for name in ours}


# Misses.


def test_a_miss_reports_the_page_not_the_address(bench: Bench) -> None:
    bench.code(asm.ld(A1, A0, 8), asm.ECALL)
    bench.run(x10=DATA + 0x123)
    assert bench.fills == [(CODE, e.FETCH), (DATA, e.READ)]


def test_a_hit_calls_nothing(bench: Bench) -> None:
    bench.code(asm.ld(A1, A0), asm.ld(A1, A0, 16), asm.addi(A4, A4, -1), asm.bne(A4, ZERO, -12))
    bench.code(asm.ECALL, at=CODE + 16)
    bench.run(x10=DATA, x14=100)
    assert len(bench.fills) == 2
    bench.run(x10=DATA, x14=100)
    assert bench.fills == []


def test_an_entry_holds_4_kib_also_of_a_larger_page(bench: Bench) -> None:
    """A superpage misses once for each page of 4 KiB in it."""
    bench.pages |= {DATA + number * PAGE_SIZE: (1 + number, RW) for number in range(3)}
    bench.code(asm.ld(A3, A0), asm.ld(A3, A1), asm.ld(A3, A2), asm.ld(A3, A0, 8), asm.ECALL)
    bench.run(x10=DATA, x11=DATA + PAGE_SIZE, x12=DATA + 2 * PAGE_SIZE)
    missed = [va for va, access in bench.fills if access == e.READ]
    assert missed == [DATA, DATA + PAGE_SIZE, DATA + 2 * PAGE_SIZE]


def test_an_entry_grants_what_the_fill_granted(bench: Bench) -> None:
    bench.pages[DATA] = (1, e.PERM_R)
    bench.code(asm.ld(A1, A0), asm.sd(A1, A0), asm.ECALL)
    assert bench.run(x10=DATA) == e.EXCEPTION
    assert bench.fills[1:] == [(DATA, e.READ), (DATA, e.WRITE)]
    assert bench.engine.pc() == CODE + 4


def test_a_miss_replaces_the_entry_of_its_page(bench: Bench) -> None:
    """A copy-on-write break therefore needs no flush."""
    bench.pages[DATA] = (1, e.PERM_R)
    bench.code(asm.ld(A1, A0), asm.sd(A0, A0), asm.ld(A2, A0), asm.ECALL)
    bench.run(x10=DATA)
    bench.pages[DATA] = (2, RW)
    assert bench.run(CODE + 4) == e.OK
    assert (bench.word(frame=1), bench.word(frame=2)) == (0, DATA)
    assert bench.engine.read(A2) == DATA


def test_an_entry_stays_until_a_flush(bench: Bench) -> None:
    bench.code(asm.sd(A0, A0), asm.ECALL)
    bench.run(x10=DATA)
    del bench.pages[DATA]
    assert bench.run(x10=DATA) == e.OK
    bench.engine.flush_tlb()
    assert bench.run(x10=DATA) == e.EXCEPTION


def test_the_tlb_may_be_flushed_within_a_fill(bench: Bench) -> None:
    bench.flush_at_fill = True
    bench.pages[DATA + 0x1000] = (2, RW)
    bench.code(asm.sd(A1, A0), asm.ld(A2, A0), asm.ECALL)
    assert bench.run(x10=DATA + 0xFFC, x11=0x1122_3344_5566_7788) == e.OK
    assert bench.engine.read(A2) == 0x1122_3344_5566_7788


def test_a_failed_fill_stops_at_the_instruction(bench: Bench) -> None:
    bench.code(NOP, NOP, asm.ld(A1, A0), asm.ECALL)
    assert bench.run(x10=0x5000) == e.EXCEPTION
    assert bench.engine.pc() == CODE + 8
    assert not bench.exceptions


@pytest.mark.parametrize("page", [DATA, 0x5000], ids=["present", "absent"])
@pytest.mark.parametrize(
    "access",
    [asm.ld(A1, A0), asm.sd(A1, A0, 8), asm.amo("amoadd", 8, A1, A2, A0), asm.sd(A1, A0, -8)],
    ids=["load", "store", "amo", "store to the page before"],
)
def test_in_a_fill_pc_is_that_of_the_instruction(bench: Bench, access: bytes, page: int) -> None:
    """Also in a block that is run again, and has no stop before."""
    bench.code(NOP, NOP, access, NOP, asm.addi(A4, A4, -1), asm.bne(A4, ZERO, -20), asm.ECALL)
    bench.pages[DATA - PAGE_SIZE] = (2, RW)
    bench.flush_at_fill = True
    bench.run(x10=page, x14=3)
    fills = zip(bench.fills, bench.pcs, strict=True)
    assert {pc for (_, kind), pc in fills if kind != e.FETCH} == {CODE + 8}


def test_in_a_fill_for_a_fetch_pc_is_the_start_of_the_block(bench: Bench) -> None:
    bench.pages[NEXT] = (2, RX)
    bench.code(asm.jr(A0))
    bench.code(NOP, asm.ECALL, at=NEXT + 0x100)
    bench.run(x10=NEXT + 0x100)
    assert bench.pcs == [CODE, NEXT + 0x100]


def test_an_amos_first_miss_is_a_read(bench: Bench) -> None:
    bench.code(asm.amo("amoadd", 8, A1, A2, A0), asm.ECALL)
    bench.run(x10=DATA)
    assert bench.fills[1] == (DATA, e.READ)


def test_a_straddling_store_looks_at_both_pages_before_it_writes(bench: Bench) -> None:
    bench.code(asm.sd(A1, A0), asm.ECALL)
    assert bench.run(x10=DATA + 0xFFC, x11=(1 << 64) - 1) == e.EXCEPTION
    assert bench.fills[1:] == [(DATA, e.WRITE), (DATA + 0x1000, e.WRITE)]
    assert bench.word(0xFF8) == 0


# Exceptions.


@pytest.mark.parametrize(
    ("code", "cause"), [(asm.ECALL, 8), (asm.ILLEGAL, 2), (asm.C_ILLEGAL, 2), (asm.half(0x8002), 2)]
)
def test_an_exceptions_pc_is_4_too_far(bench: Bench, code: bytes, cause: int) -> None:
    """Whatever the instruction's size."""
    bench.code(NOP, code)
    assert bench.run() == e.OK
    assert bench.exceptions == [(cause, CODE + 8)]
    assert bench.engine.pc() == CODE + 4


def test_a_misaligned_amo_is_reported_as_a_misaligned_load(bench: Bench) -> None:
    bench.code(NOP, asm.amo("amoadd", 8, A1, A2, A0))
    bench.run(x10=DATA + 1)
    assert bench.exceptions == [(4, CODE + 8)]


@pytest.mark.parametrize("code", [asm.EBREAK, asm.C_EBREAK])
def test_ebreak_comes_as_an_invalid_instruction_with_the_right_pc(
    bench: Bench, code: bytes
) -> None:
    bench.code(NOP, code)
    bench.run()
    assert bench.invalid == [CODE + 4]
    assert not bench.exceptions
    assert bench.engine.pc() == CODE + 4


def test_a_fault_of_an_instruction_that_crosses_is_reported_at_its_blocks_start(
    bench: Bench,
) -> None:
    bench.code(asm.addi(A0, A0, 1), NOP[:2], at=CODE + 0xFFA)
    assert bench.run(CODE + 0xFFA, x10=0) == e.EXCEPTION
    assert bench.fills == [(CODE, e.FETCH), (NEXT, e.FETCH)]
    assert bench.engine.pc() == CODE + 0xFFA
    assert bench.engine.read(A0) == 0


def test_an_illegal_first_instruction_looks_at_the_page_before(bench: Bench) -> None:
    """For the engine, a block of no bytes ends in that page."""
    bench.pages = {NEXT: (2, RX)}
    bench.code(asm.C_ILLEGAL, at=NEXT)
    assert bench.run(NEXT) == e.EXCEPTION
    assert bench.fills == [(NEXT, e.FETCH), (CODE, e.FETCH)]
    assert bench.engine.pc() == NEXT


# Where a run ends.


def test_a_jump_to_0_is_a_fault_not_an_end(bench: Bench) -> None:
    bench.code(asm.jr(ZERO))
    assert bench.run() == e.EXCEPTION
    assert bench.fills[-1] == (0, e.FETCH)
    assert bench.engine.pc() == 0


def test_an_exit_stops_before_its_instruction_and_leaves_no_mark(bench: Bench) -> None:
    bench.code(asm.addi(A0, A0, 1), asm.addi(A0, A0, 1), asm.ECALL)
    bench.engine.set_exits([CODE + 4])
    assert bench.run(x10=0) == e.OK
    assert (bench.engine.pc(), bench.engine.read(A0)) == (CODE + 4, 1)
    assert bench.run(CODE + 4, x10=0) == e.OK
    assert (bench.engine.pc(), bench.engine.read(A0)) == (CODE + 4, 0)
    bench.engine.set_exits([])
    for pc, a0 in ((CODE, 2), (CODE + 4, 1)):
        bench.run(pc, x10=0)
        assert bench.engine.read(A0) == a0


def test_at_the_end_of_a_run_the_byte_before_an_exit_is_fetched(bench: Bench) -> None:
    """An exit must not be the first byte of a page, unless the page before is code."""
    bench.code(asm.ECALL)
    bench.engine.set_exits([CODE])
    assert bench.run() == e.EXCEPTION
    assert bench.fills[-1] == (CODE - 0x1000, e.FETCH)


def test_a_stop_before_the_start_is_lost(bench: Bench) -> None:
    bench.code(asm.addi(A0, A0, 1), asm.ECALL)
    bench.run(x10=0)
    bench.engine.stop()
    bench.run(x10=0)
    assert bench.engine.read(A0) == 1


def test_a_stop_within_a_block_waits_for_its_end(bench: Bench) -> None:
    """Else the store would be run twice, and an AMO's addition too; see Engine."""
    bench.code(asm.amo("amoadd", 8, A1, A2, A0), asm.addi(A3, A3, 1), asm.j(8))
    bench.code(asm.ECALL, at=CODE + 16)

    class FillAndStop(TlbFiller):
        def fill(self, va: int, access: int) -> int:
            if va == DATA:
                bench.engine.stop()
            return bench.fill(va, access)

    bench.engine = Engine(bench.ram, FillAndStop(), bench.on_exception, bench.on_invalid)
    assert bench.run(x10=DATA, x12=1, x13=0) == e.OK
    assert bench.engine.pc() == CODE + 16
    assert (bench.word(), bench.engine.read(A3)) == (1, 1)
    assert not bench.exceptions


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_count_counts_also_in_blocks_that_ran_without(bench: Bench, count: int) -> None:
    bench.code(*[asm.addi(A0, A0, 1)] * 6, asm.ECALL)
    for _ in range(2):
        bench.run(x10=0)
        assert bench.engine.read(A0) == 6
        assert bench.run(count=count, x10=0) == e.OK
        assert bench.engine.read(A0) == count
        assert bench.engine.pc() == CODE + 4 * count


# Translated code.


def test_translated_code_outlives_a_host_write_and_a_tlb_flush(bench: Bench) -> None:
    """If this fails, the hart flushes code without need."""
    bench.code(asm.li(A0, 1), asm.ECALL)
    bench.run()
    bench.code(asm.li(A0, 2))
    bench.engine.flush_tlb()
    bench.run(x10=0)
    assert bench.engine.read(A0) == 1
    bench.engine.flush_code()
    bench.run()
    assert bench.engine.read(A0) == 2


def test_translated_code_belongs_to_its_frame(bench: Bench) -> None:
    for frame, value in ((0, 1), (2, 2)):
        bench.write(frame, 0, asm.li(A0, value) + asm.ECALL)
    for frame, value in ((0, 1), (2, 2), (0, 1)):
        bench.pages[CODE] = (frame, RX)
        bench.engine.flush_tlb()
        bench.run(x10=0)
        assert bench.engine.read(A0) == value


def new_blocks(bench: Bench, *, stops: bool = False) -> list[tuple[int, int]]:
    """(offset, size) of each block that a new engine reports, each optionally followed by a
    stop."""
    calls: list[tuple[int, int]] = []

    def translated(pc: int, size: int) -> None:
        calls.append((pc - CODE, size))
        if stops:
            bench.engine.stop()

    hooks = bench, bench.on_exception, bench.on_invalid, translated
    bench.engine = Engine(bench.ram, *hooks)
    return calls


def test_each_new_block_is_reported_once_including_the_first(bench: Bench) -> None:
    bench.code(asm.addi(A0, A0, 1), asm.C_NOP, asm.j(6), NOP[:2], asm.ECALL)
    calls = new_blocks(bench)
    for _ in range(3):
        bench.run()
    assert calls == [(0, 10), (12, 4)]
    bench.engine.flush_code()
    bench.run()
    assert len(calls) == 4


def test_a_stop_at_a_new_block_comes_before_it_is_run(bench: Bench) -> None:
    """A reported block is already translated, and runs the next time."""
    bench.code(asm.addi(A0, A0, 1), asm.j(4), asm.addi(A0, A0, 1), asm.ECALL)
    new_blocks(bench, stops=True)
    for pc, a0 in ((CODE, 0), (CODE + 8, 1)):
        assert bench.run(CODE, x10=0) == e.OK
        assert (bench.engine.pc(), bench.engine.read(A0)) == (pc, a0)


@pytest.mark.parametrize("code", [0x8000, 0x9C41, 0x9C61])
def test_some_reserved_encodings_run_as_no_ops(bench: Bench, code: int) -> None:
    """If this fails, :mod:`emu.machine.isa.reserved_encodings` need not detect them."""
    bench.code(asm.half(code), asm.C_NOP, asm.ECALL)
    bench.run()
    assert [cause for cause, _ in bench.exceptions] == [8]


# Registers.


def test_all_registers_are_read_and_written_at_once(bench: Bench) -> None:
    registers, back = Registers(), Registers()
    for n in range(1, 64):
        registers[n] = n << 56 | n
    registers[FCSR] = 0x7F
    bench.engine.load(registers)
    bench.engine.save(back)
    assert list(back.words) == list(registers.words)
    assert [bench.engine.read(n) for n in range(1, 65)] == list(registers.words)[1:]


def test_a_batch_reads_those_asked_for(bench: Bench) -> None:
    bench.engine.write(A0, 5)
    bench.engine.write(A4, 6)
    assert list(bench.engine.batch([A4, A0])()) == [6, 5]


def test_machine_mode_registers_cannot_be_written_below(bench: Bench) -> None:
    """mstatus.FS is therefore set before the hart enters U-mode."""
    bench.engine._uc.write_register(rv.UC_RISCV_REG_MSTATUS, 0)
    bench.code(asm.fmv_d_x(1, A0), asm.ECALL)
    bench.run()
    assert bench.exceptions[-1][0] == 8, "floating point is still on"


def test_writing_the_privilege_ends_a_reservation(bench: Bench) -> None:
    bench.code(asm.lr(8, A1, A0), asm.ECALL, asm.sc(8, A2, A3, A0), asm.ECALL)
    for drop, result in ((False, 0), (True, 1)):
        bench.run(x10=DATA)
        if drop:
            bench.engine.drop_reservation()
        bench.run(CODE + 8)
        assert bench.engine.read(A2) == result


@pytest.mark.parametrize("csr", [0x180, 0x300, 0x105, 0xC01])
def test_a_user_has_no_other_csrs(bench: Bench, csr: int) -> None:
    """satp, mstatus, stvec, and time, which has no clock behind it."""
    bench.code(asm.csrr(A0, csr))
    bench.run()
    assert bench.exceptions == [(2, CODE + 4)]


# Watching.


def watched(bench: Bench, first: int = 1, last: int = 0) -> list[tuple[int, int]]:
    """(pc, a0) at each call of an instruction hook, read from the engine's own memory."""
    calls: list[tuple[int, int]] = []
    row, refresh = bench.engine.state()
    assert refresh is None
    words = row.cast("Q")
    bench.engine.hook_instructions(lambda: calls.append((words[64], words[10])), first, last)
    bench.engine.flush_code()
    return calls


def test_an_instruction_hook_sees_the_registers_as_they_are_before_each(bench: Bench) -> None:
    bench.code(asm.li(A0, 1), asm.addi(A0, A0, 4), asm.j(8), NOP, asm.C_NOP, asm.ECALL)
    calls = watched(bench)
    bench.run(x10=7)
    places = [(CODE, 7), (CODE + 4, 1), (CODE + 8, 5), (CODE + 16, 5), (CODE + 18, 5)]
    assert calls == places


def test_a_hook_in_bounds_is_called_for_both_bounds_and_what_lies_between(bench: Bench) -> None:
    bench.code(*[asm.addi(A0, A0, 1)] * 6, asm.ECALL)
    calls = watched(bench, CODE + 8, CODE + 16)
    bench.run(x10=0)
    assert [pc - CODE for pc, _ in calls] == [8, 12, 16]


def test_code_that_was_translated_before_does_not_call_a_hook(bench: Bench) -> None:
    bench.code(asm.li(A0, 1), asm.ECALL)
    bench.run()
    calls: list[int] = []
    bench.engine.hook_instructions(lambda: calls.append(1), 1, 0)
    bench.run()
    assert not calls
    bench.engine.flush_code()
    bench.run()
    assert len(calls) == 2


def test_an_instruction_that_faults_is_reported_at_each_attempt(bench: Bench) -> None:
    bench.code(NOP, asm.sd(A1, A0), NOP, asm.ECALL)
    calls = watched(bench)
    bench.run(x10=0x5000)
    assert [pc - CODE for pc, _ in calls] == [0, 4]
    bench.pages[0x5000] = (2, RW)
    bench.run(CODE + 4)
    assert [pc - CODE for pc, _ in calls] == [0, 4, 4, 8, 12]


def test_an_illegal_instruction_is_reported(bench: Bench) -> None:
    bench.code(NOP, asm.ILLEGAL)
    calls = watched(bench)
    bench.run()
    assert [pc - CODE for pc, _ in calls] == [0, 4]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_with_a_count_at_most_that_many_are_reported(bench: Bench, count: int) -> None:
    """Though the count ends within the engine's own hook of the next instruction."""
    bench.code(NOP, NOP, asm.j(4), NOP, NOP, NOP, asm.ECALL)
    calls = watched(bench)
    bench.run(count=count)
    assert [pc - CODE for pc, _ in calls] == [4 * n for n in range(count)]


def blocks(bench: Bench) -> list[tuple[int, int]]:
    """(offset, size) at each call of a block hook."""
    calls: list[tuple[int, int]] = []
    bench.engine.hook_blocks(lambda _, start, size: calls.append((start - CODE, size)))
    bench.engine.flush_code()
    return calls


def test_a_block_hook_reports_each_block_each_time_and_its_size(bench: Bench) -> None:
    bench.code(NOP, asm.addi(A4, A4, -1), asm.bne(A4, ZERO, -4), asm.C_NOP, asm.ECALL)
    calls = blocks(bench)
    bench.run(x14=4)
    assert calls == [(0, 12), (4, 8), (4, 8), (4, 8), (12, 6)]


def test_a_block_is_reported_before_the_engine_looks_whether_to_stop(bench: Bench) -> None:
    """The last block reported at a stop may therefore not have been executed."""
    bench.code(NOP, asm.j(8), NOP, asm.addi(A0, A0, 1), asm.ECALL)
    calls: list[int] = []

    def hook(_engine: int, start: int, _size: int) -> None:
        calls.append(start - CODE)
        bench.engine.stop()

    bench.engine.hook_blocks(hook)
    bench.run(x10=0)
    assert (calls, bench.engine.pc() - CODE, bench.engine.read(A0)) == ([0], 0, 0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_count_may_end_within_a_block_or_on_one_just_reported(bench: Bench, count: int) -> None:
    bench.code(NOP, asm.j(4), NOP, NOP, asm.ECALL)
    calls = blocks(bench)
    bench.run(count=count)
    assert bench.engine.pc() == CODE + 4 * count
    assert calls == [(0, 8), (8, 12)][: 1 if count < 2 else 2]


def test_a_block_that_was_cut_by_a_fault_goes_on_as_another(bench: Bench) -> None:
    bench.code(NOP, asm.sd(A1, A0), NOP, asm.ECALL)
    calls = blocks(bench)
    bench.run(x10=0x5000)
    bench.pages[0x5000] = (2, RW)
    bench.run(CODE + 4)
    assert calls == [(0, 16), (4, 12)]


# Floating point, where it differs from the ratified F and D. If one of these fails, remove the
# sentence from the README's limits.

F0, F1, F2, F3 = range(32, 36)
BOX = 0xFFFF_FFFF_0000_0000
ONE, QUIET, SIGNALLING, INFINITY = 0x3F80_0000, 0x7FC0_0000, 0x7FA0_0000, 0x7F80_0000
D_ONE, D_QUIET, D_SIGNALLING, D_INFINITY = (each << 48 for each in (0x3FF0, 0x7FF8, 0x7FF4, 0x7FF0))
INVALID = 1 << 4


def computed(bench: Bench, code: bytes, *operands: int) -> tuple[int, int]:
    """Value of f0 and the flags after an instruction on f1, f2 and f3."""
    bench.code(code, asm.ECALL)
    bench.engine.write(FCSR, 0)
    for register, operand in enumerate(operands, F1):
        bench.engine.write(register, operand)
    bench.engine.flush_code()
    bench.run()
    return bench.engine.read(F0), bench.engine.read(FCSR)


def f_type(funct7: int, funct3: int = 0, rs2: int = 2) -> bytes:
    return asm.r_type(0x53, 0, funct3, 1, rs2, funct7)


FADD_S, FMUL_S, FDIV_S, FSQRT_S = f_type(0x00), f_type(0x08), f_type(0x0C), f_type(0x2C, 0, 0)


@pytest.mark.parametrize("code", [FADD_S, FMUL_S, FDIV_S, FSQRT_S])
def test_a_single_precision_result_is_not_boxed(bench: Bench, code: bytes) -> None:
    """RISC-V: the upper half is all ones."""
    result, _ = computed(bench, code, BOX | ONE, BOX | ONE)
    assert result >> 32 == 0


def test_what_is_moved_or_converted_to_single_precision_is_not_boxed(bench: Bench) -> None:
    for code in (f_type(0x78, 0, 0), f_type(0x68, 0, 0)):  # fmv.w.x, fcvt.s.w
        bench.engine.write(1, ONE)
        assert computed(bench, code)[0] >> 32 == 0
    assert computed(bench, f_type(0x20, 0, 1), D_ONE) == (ONE, 0)  # fcvt.s.d


def test_an_operand_that_is_not_boxed_is_used_as_it_is(bench: Bench) -> None:
    """RISC-V: it is a quiet NaN."""
    assert computed(bench, FADD_S, ONE, 0x1234_5678 << 32 | ONE) == (0x4000_0000, 0)
    bench.code(asm.r_type(0x53, A0, 2, 1, 1, 0x50), asm.ECALL)  # feq.s
    bench.engine.flush_code()
    bench.engine.write(F1, ONE)
    bench.run()
    assert bench.engine.read(A0) == 1


@pytest.mark.parametrize("first", [0, 0x1234_5678, 0xFFFF_FFFF])
@pytest.mark.parametrize("second", [0, 0x8765_4321, 0xFFFF_FFFF])
def test_sign_injection_treats_the_upper_half_as_the_sign(
    bench: Bench, first: int, second: int
) -> None:
    expected = {0: second, 1: second ^ 0xFFFF_FFFF, 2: first ^ second}  # fsgnj, fsgnjn, fsgnjx
    for funct3, upper in expected.items():
        result, _ = computed(bench, f_type(0x10, funct3), first << 32 | ONE, second << 32 | ONE)
        assert result >> 32 == upper


@pytest.mark.parametrize("funct3", [0, 1])
def test_the_smaller_of_a_number_and_a_signalling_nan_is_nan(bench: Bench, funct3: int) -> None:
    """RISC-V: fmin and fmax return the number and raise NV."""
    for funct7, one, nan, quiet in (
        (0x14, BOX | ONE, BOX | SIGNALLING, QUIET),
        (0x15, D_ONE, D_SIGNALLING, D_QUIET),
    ):
        assert computed(bench, f_type(funct7, funct3), one, nan) == (quiet, INVALID)
        assert computed(bench, f_type(funct7, funct3), nan, one) == (quiet, INVALID)


@pytest.mark.parametrize("opcode", [0x43, 0x47, 0x4B, 0x4F])
def test_infinity_times_zero_plus_a_quiet_nan_raises_nothing(bench: Bench, opcode: int) -> None:
    """RISC-V: raises NV."""
    for size, infinity, nan, quiet in (
        (0, BOX | INFINITY, BOX | QUIET, QUIET),
        (1, D_INFINITY, D_QUIET, D_QUIET),
    ):
        code = asm.r_type(opcode, 0, 0, 1, 2, 3 << 2 | size)
        zero = BOX if size == 0 else 0
        assert computed(bench, code, infinity, zero, nan) == (quiet, 0)

"""Does the instruction trace contain each executed instruction once, with its effects?"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from emu.observe.instructions.formats import JsonFormat, Record
from emu.observe.instructions.trace import InstructionTrace
from emu.options import Options
from emu.session import Session
from guest.manifest import FOLDER
from tests.emu.observe.support.assembly import assembled, bare, label
from tests.emu.observe.support.stepping import Step, session, stepped, traced
from tests.kernel.syscalls.guests import compiled
from toolchain.build import build

EVERY_KIND = """
    lla s0, data
    li a1, -2
    sb a1, 1(s0)
    lbu a2, 1(s0)
    c.sd a1, 8(s0)
    c.ld a3, 8(s0)
    li a4, 5
    amoadd.w a5, a4, (s0)
    lr.d a5, (s0)
    sc.d a5, a4, (s0)
    sc.d a5, a4, (s0)
    fld fa0, 24(s0)
    fadd.d fa1, fa0, fa0
    fsd fa1, 16(s0)
    flw fs2, 24(s0)
    lla sp, data + 4096 + 64
    c.sdsp a4, 8(sp)
    c.lwsp a5, 8(sp)
    lla t0, data + 4092
across:
    sd a1, 0(t0)
    exit 3
    .data
    .balign 4096
data:
    .dword 0, 0, 0
    .double 1.5
    .skip 8192
"""


def run(program: Path, **keywords: Any) -> tuple[list[str], Session]:
    """Lines of the trace, on a machine with the fast path."""
    traced_session = Session(Options(), [str(program)])
    traced_session.console.capture(1)
    traced_session.console.capture(2)
    text = bytearray()
    trace = InstructionTrace(traced_session.kernel, write=text.extend, **keywords)
    traced_session.run([trace])
    trace.close()
    return text.decode().splitlines(), traced_session


def records(program: Path, **options: object) -> list[Record]:
    traced_session = session(program, **options)
    found: list[Record] = []
    trace = InstructionTrace(traced_session.kernel, take=found.append)
    traced_session.run([trace])
    return found


@cache
def every_kind() -> list[Record]:
    return records(assembled(EVERY_KIND))


def of(text: str, nth: int = 0) -> Record:
    return [record for record in every_kind() if record.text.startswith(text)][nth]


# Exactness.


def test_hello_has_as_many_lines_as_instructions() -> None:
    """li, lla (2), li, li, ecall; li, li, ecall: by hand."""
    lines, _ = run(bare("hello_bare"))
    assert len(lines) == 9
    assert lines[5].split()[3:] == ["ecall", "a0=0x1b"]
    assert lines[-1].split()[3:] == ["ecall"], "exit_group has no result"


def test_a_loop_of_many_rows() -> None:
    program = assembled("    li a5, 5000\n1:  addi a5, a5, -1\n    bnez a5, 1b\n    exit 0\n")
    lines, _ = run(program)
    assert len(lines) == len(traced(program)) == 2 + 2 * 5000 + 3
    values = re.findall(r"c\.addi a5, -1 +a5=(\w+)", "\n".join(lines))
    assert [int(value, 16) for value in values] == [*range(4999, -1, -1)]


@pytest.mark.parametrize("name", ["exact_child", "exact_parent", "exact_chain"])
def test_forks_are_traced_as_they_are_stepped(name: str) -> None:
    assert traced(bare(name)) == stepped(bare(name))


def test_every_kind_is_traced_as_it_is_stepped() -> None:
    assert without_failed_sc(traced(assembled(EVERY_KIND))) == without_failed_sc(
        stepped(assembled(EVERY_KIND))
    )


def without_failed_sc(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.changed != ("a5", 1)]


def test_a_program_with_a_c_library_is_traced_as_it_is_stepped() -> None:
    program = compiled(
        r"""
        volatile double x = 2.5;
        static int data[2000];
        catch(SIGUSR1, SIG_IGN, 0);
        for (int i = 0; i < 3; i++)
            if (!fork()) { data[i * 500]++; x = x * 3 + i; say("%g %d\n", x, i); _exit(i); }
        while (wait(NULL) > 0) data[7]++;
        return data[7];
        """
    )
    ours, theirs = traced(program), stepped(program)
    assert len(ours) == len(theirs) > 5000
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other
    assert {step.pid for step in ours} == {2, 3, 4, 5}


def test_threads_have_their_ids() -> None:
    program = compiled(
        r"""
        void *go(void *p) { return p; }
        int main(void) {
            pthread_t t; void *r;
            pthread_create(&t, NULL, go, (void *)7); pthread_join(t, &r); return (long)r;
        }
        """
    )
    ours = traced(program)
    assert ours == stepped(program)
    assert {(step.pid, step.tid) for step in ours} == {(2, 2), (2, 3)}
    lines, _ = run(program)
    assert any(line.startswith("[pid 2 tid 3] 0x") for line in lines)


def test_signals_and_their_returns_are_traced_as_they_are_stepped() -> None:
    program = compiled(
        r"""
        static sigjmp_buf back;
        static volatile int seen;
        static void on(int signo) { seen++; if (signo == SIGSEGV) siglongjmp(back, 1); }
        int main(void) {
            catch(SIGUSR1, on, 0); catch(SIGSEGV, on, 0);
            raise(SIGUSR1);
            if (!sigsetjmp(back, 1)) *(volatile int *)16 = 1;
            if (!fork()) { kill(getppid(), SIGUSR1); _exit(0); }
            while (wait(NULL) > 0 || errno == EINTR) seen++;
            return seen;
        }
        """.replace("static sigjmp_buf", "#include <setjmp.h>\nstatic sigjmp_buf")
    )
    assert traced(program) == stepped(program)


@pytest.mark.parametrize("name", ["self_modify", "code_alias", "fork_exec", "fp"])
def test_guests_are_traced_as_they_are_stepped(name: str) -> None:
    program = build([FOLDER / f"{name}.c"], flags=["-lm"])
    assert traced(program) == stepped(program)


def test_a_long_loop_is_whole_though_timers_cut_it() -> None:
    program = assembled("    li a5, 100000\n1:  addi a5, a5, -1\n    bnez a5, 1b\n    exit 0\n")
    lines, _ = run(program)
    assert len(lines) == 2 + 2 * 100_000 + 3
    values = re.findall(r"c\.addi a5, -1 +a5=(\w+)", "\n".join(lines))
    assert [int(value, 16) for value in values] == [*range(99_999, -1, -1)]


def test_a_machine_that_is_traced_does_the_same() -> None:
    plain, watched = (session(build([FOLDER / "fork_tree.c"])) for _ in range(2))
    statuses = plain.run(), watched.run([InstructionTrace(watched.kernel, take=lambda _: None)])
    assert statuses[0] == statuses[1]
    assert plain.console.captured(1) == watched.console.captured(1)
    assert plain.summary == watched.summary


# Fields of a record.


def test_integer_registers() -> None:
    assert (of("c.li a1").register, of("c.li a1").value) == ("a1", 2**64 - 2)
    assert (of("lbu").register, of("lbu").value) == ("a2", 0xFE)
    assert of("c.ld").value == 2**64 - 2
    assert of("c.sd ").register is None


def test_floating_registers_are_raw() -> None:
    assert (of("c.fld").register, of("c.fld").value) == ("fa0", 0x3FF8_0000_0000_0000)
    assert (of("fadd.d").register, of("fadd.d").value) == ("fa1", 0x4008_0000_0000_0000)
    assert (of("flw").register, of("flw").value) == ("fs2", 0xFFFF_FFFF_0000_0000)


def test_accesses() -> None:
    data = label(assembled(EVERY_KIND), "data")
    kinds = [
        (record.text.split()[0], record.access, (record.address or 0) - data, record.size)
        for record in every_kind()
        if record.access
    ]
    assert kinds == [
        ("sb", "store", 1, 1),
        ("lbu", "load", 1, 1),
        ("c.sd", "store", 8, 8),
        ("c.ld", "load", 8, 8),
        ("amoadd.w", "amo", 0, 4),
        ("lr.d", "lr", 0, 8),
        ("sc.d", "sc", 0, 8),
        ("sc.d", "sc", 0, 8),
        ("c.fld", "load", 24, 8),
        ("c.fsd", "store", 16, 8),
        ("flw", "load", 24, 4),
        ("c.sdsp", "store", 4096 + 72, 8),
        ("c.lwsp", "load", 4096 + 72, 4),
        ("sd", "store", 4092, 8),
    ]
    for record in every_kind():
        if record.access and record.access != "sc":
            assert record.physical and record.address
            assert record.physical >= 0x8000_0000
            assert (record.physical - record.address) % 4096 == 0


def test_amo_and_sc_have_their_results() -> None:
    amo, won, lost = of("amoadd"), of("sc.d"), of("sc.d", 1)
    assert (amo.register, amo.value) == ("a5", 0xFE00), "the byte that sb stored at 1"
    assert (won.register, won.value) == ("a5", 0)
    assert (lost.register, lost.value) == ("a5", 1)


def test_an_access_across_two_pages_has_both() -> None:
    record = of("sd a1, 0(t0)")
    second = of("c.sdsp").physical
    assert record.physical is not None and second is not None
    assert record.physical & 0xFFF == 0xFFC
    assert record.second == second & ~0xFFF


def test_a_copied_page_has_a_new_physical_address() -> None:
    """The child's first store to each of 16 pages is to a frame that is not its parent's."""
    stores = [r for r in records(bare("exact_parent")) if r.access == "store" and r.size == 1]
    by_pid = {pid: [r.physical for r in stores if r.pid == pid] for pid in (2, 3)}
    first, second = by_pid[2][:16], by_pid[2][16:]
    assert len(first) == len(second) == len(by_pid[3]) == 16
    assert not set(first) & set(second), "the parent's were copied"
    assert first == by_pid[3], "the child took over the old ones"


# Attempts.


def test_an_attempt_that_faulted_has_no_line_of_its_own() -> None:
    program = assembled("    mark 3, 'x'\n    exit 0\n    reserve 3\n")
    lines, traced_session = run(program)
    assert sum(traced_session.summary["faults"].values()) >= 3
    assert sum(" sb " in line for line in lines) == 3
    assert len(lines) == len(stepped(program))


def test_one_that_kills_says_so() -> None:
    lines, _ = run(assembled("    li a0, 8\n    nop\n    sd a0, 8(a0)\n    exit 0\n"))
    assert re.search(r"c\.sd a0, 8\(a0\) +not completed: SIGSEGV$", lines[-1])
    assert len(lines) == 3


PIPE = """
    lla a0, pages
    li a1, 0
    call SYS_pipe2
    fork
    lla t0, pages
    lw s0, 0(t0)
    lw s1, 4(t0)
    lla a1, pages + 4096
    li a2, 1
    beqz a0, child
    mv a0, s0
    call SYS_read
    exit 0
child:
    li t3, 9
    mv a0, s1
    call SYS_write
    exit 0
    reserve 2
"""


def test_a_call_that_waits_has_its_line_when_it_has_its_result() -> None:
    """The parent's read waits until its child has written."""
    found = records(assembled(PIPE))
    call_index = next(n for n, r in enumerate(found) if r.pid == 2 and r.value == 63)
    result_index = next(n for n in range(call_index + 1, len(found)) if found[n].pid == 2)
    assert (found[result_index].text, found[result_index].register, found[result_index].value) == (
        "ecall",
        "a0",
        1,
    )
    between = found[call_index + 1 : result_index]
    assert {r.pid for r in between} == {3} and any(r.text == "ecall" for r in between)


def test_the_ecall_of_a_wait_is_reported_as_what_it_was() -> None:
    """Another program is at the same address in the process that ran in between."""
    other = assembled("    .rept 60\n    li t0, 0x12345\n    .endr\n    exit 0\n")
    program = assembled(
        f"""
            fork
            bnez a0, 1f
            lla a0, path
            li a1, 0
            li a2, 0
            call 221
        1:  wait_for_child
            exit 0
        path:
            .asciz "{other}"
        """
    )
    found = records(program, read_write=((str(other.parent), str(other.parent)),))
    assert any("lui t0" in r.text for r in found)
    calls = [r for r in found if r.pid == 2 and r.text == "ecall"]
    assert [(r.register, r.value) for r in calls] == [("a0", 3), ("a0", 3), (None, None)]


def test_a_child_begins_after_its_parents_ecall() -> None:
    found = records(bare("exact_parent"))
    first = next(n for n, r in enumerate(found) if r.pid == 3)
    fork = next(n for n, r in enumerate(found) if r.text == "ecall" and r.value == 3)
    assert fork < first
    assert found[first].pc == found[fork].pc + 4


# Spans.

CALLS = """
    li s1, 4
1:  jal ra, inner
    addi s1, s1, -1
    bnez s1, 1b
    exit 0
inner:
    li t0, 1
    jal t1, outside
    addi t0, t0, 5
end_of_inner:
    ret
outside:
    li t0, 77
    li t2, 78
    jr t1
"""


def test_a_span_has_its_own_instructions_and_no_others() -> None:
    program = assembled(CALLS)
    span = label(program, "inner"), label(program, "end_of_inner")
    lines, _ = run(program, span=span)
    columns = [line.split("  ", 1)[1].split() for line in lines]
    once = [columns[0], columns[1], columns[2]]
    assert len(lines) == 3 * 4
    assert once[0] == ["c.li", "t0,", "1", "t0=0x1"]
    assert once[1][:2] == ["jal", "t1,"] and once[1][-1] == f"t1={span[0] + 6:#x}"
    assert once[2] == ["c.addi", "t0,", "5", "t0=0x52"], "not what the callee changed"
    assert "t1=" not in lines[4], "the link is as it was"


def test_a_span_outside_the_program_costs_no_line() -> None:
    assert run(bare("hello_bare"), span=(0x10, 0x20))[0] == []


# Forms.


def test_a_line_of_text() -> None:
    program = assembled(EVERY_KIND)
    lines, _ = run(program)
    line = next(line for line in lines if " sb " in line)
    data = label(program, "data") + 1
    assert re.fullmatch(
        rf"\[pid 2\] 0x\w+  sb a1, 1\(s0\) {{12}}  store {data:#x} → pa 0x8\w+ \(1\)", line
    )
    across = label(program, "across")
    line = next(line for line in lines if f" {across:#x} " in line)
    assert re.search(r"store 0x\w+ → pa 0x8\w+ffc\+0x8\w+000 \(8\)$", line)


def test_lines_of_json_say_what_records_say() -> None:
    program = assembled(EVERY_KIND)
    lines, _ = run(program, form=JsonFormat())
    objects = [json.loads(line) for line in lines]
    assert len(objects) == len(every_kind())
    for found, record in zip(objects, every_kind(), strict=True):
        assert (found["pid"], found["tid"], int(found["pc"], 16)) == record[:3]
        assert int(found["code"], 16) == int.from_bytes(record.code, "little")
        assert found["text"] == record.text
        assert found.get("register") == record.register
        for key in ("value", "address"):
            assert (int(found[key], 16) if key in found else None) == getattr(record, key)
        assert (found.get("access"), found.get("size")) == (record.access, record.size)
        assert ("second" in found) == (record.second is not None)


def test_a_trace_goes_to_one_place() -> None:
    traced_session = session(bare("hello_bare"))
    with pytest.raises(TypeError):
        InstructionTrace(traced_session.kernel)


def test_a_write_that_fails_ends_the_run() -> None:
    traced_session = session(bare("hello_bare"))

    def full(_text: bytes) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        traced_session.run([InstructionTrace(traced_session.kernel, write=full)])


def test_code_that_is_mapped_elsewhere_is_read_anew() -> None:
    """Two programs, at the same addresses, one after the other in one process."""
    other = compiled("return 4;")
    program = compiled(f'execl("{other}", "x", NULL); return 1;')
    grant = {"read_write": ((str(other.parent), str(other.parent)),)}
    ours = traced(program, **grant)
    assert ours == stepped(program, **grant)
    assert sum(step.pc == ours[0].pc for step in ours) == 2

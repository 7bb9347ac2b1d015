"""Are the instructions before each page fault those that were executed?"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.observe.instructions.around_faults import AroundFaults, Window, window_lines
from emu.observe.instructions.block_replay import Executed
from emu.observe.instructions.formats import REGISTERS
from emu.options import Options
from emu.session import Session
from tests.emu.observe.support.assembly import assembled, bare, label
from tests.emu.observe.support.stepping import Step, stepped
from tests.kernel.syscalls.guests import compiled

MACHINES = [{}, {"deterministic": True}]
LINE = """
    lla t0, pages
    li a0, 1
    li a1, 2
    nop
    li a2, 3
store:
    sb a0, 0(t0)
    li a3, 4
    sb a1, 8(t0)
    lla t0, pages + 4096
    sb a1, 8(t0)
    exit 0
    reserve 2
"""


def windows(program: Path, count: int, **options: object) -> list[Window]:
    session = Session(Options(**options), [str(program)])  # type: ignore
    session.console.capture(1)
    session.console.capture(2)
    found: list[Window] = []

    def collect(window: Window) -> None:
        assert len(window.executed) <= count
        found.append(window)

    session.run([AroundFaults(session.kernel, count, collect)])
    return found


def by_stores(found: list[Window], program: Path) -> list[Window]:
    pages = label(program, "pages")
    return [w for w in found if w.fault.trap is not None and w.fault.trap.tval >= pages]


@pytest.mark.parametrize("options", MACHINES)
@pytest.mark.parametrize("count", [1, 3, 100])
def test_a_straight_line(count: int, options: dict[str, object]) -> None:
    program = assembled(LINE)
    start, store = label(program, "_start"), label(program, "store")
    first, second = by_stores(windows(program, count, **options), program)
    before = [step.text.split(" ")[0] for step in first.executed]
    assert before == ["auipc", "addi", "c.li", "c.li", "c.nop", "c.li"][-count:]
    assert [step.pc for step in first.executed][-1] == store - 2
    assert count < 100 or first.executed[0].pc == start
    after = [step.text.split(" ")[0] for step in second.executed]
    assert after == [*before, "sb", "c.li", "sb", "auipc", "addi"][-count:]


@pytest.mark.parametrize("options", MACHINES)
def test_a_loop_that_faults_at_each_turn(options: dict[str, object]) -> None:
    program = assembled("    mark 5, 'x'\n    exit 0\n    reserve 5\n")
    found = by_stores(windows(program, 8, **options), program)
    assert len(found) == 5
    turn = ["sb", "c.add", "c.addi", "bnez"]
    for window in found[2:]:
        texts = [step.text.split(" ")[0].replace("c.bnez", "bnez") for step in window.executed]
        assert texts == turn * 2
        assert window.fault.trap is not None
        assert window.executed[0].pc == window.fault.trap.epc


def test_a_fault_of_a_system_call_comes_after_its_ecall() -> None:
    program = assembled(
        "    lla a0, pages\n    li a1, 0\n    call SYS_pipe2\n    exit 0\n    reserve 1\n"
    )
    for options in MACHINES:
        (window,) = [w for w in windows(program, 3, **options) if w.fault.call == "pipe2"]
        texts = [step.text.split(" ")[0] for step in window.executed]
        assert texts == ["c.li", "addi", "ecall"]


PROGRAMS = {
    "exact_parent": lambda: bare("exact_parent"),
    "forks": lambda: compiled(
        r"""
        static char data[20 * 4096];
        for (int i = 0; i < 3; i++)
            if (!fork()) {
                for (int k = 0; k < 20; k++) data[k * 4096] = i;
                say("%d\n", i);
                _exit(0);
            }
        while (wait(NULL) > 0) data[4096]++;
        """
    ),
}


@pytest.mark.parametrize(
    "name, deterministic", [("exact_parent", False), ("exact_parent", True), ("forks", True)]
)
def test_each_window_is_the_end_of_what_was_stepped(name: str, deterministic: bool) -> None:
    """Each window equals the last instructions of its thread before some point."""
    program = PROGRAMS[name]()
    steps = stepped(program)
    found = windows(program, 30, deterministic=deterministic)
    assert len(found) > 20
    at: dict[int, int] = {}
    for window in found:
        pid = window.fault.thread.process.pid
        own = [step.pc for step in steps if step.pid == pid]
        pcs = [step.pc for step in window.executed]
        at[pid] = _find(own, pcs, at.get(pid, 0))
        trap = window.fault.trap
        if trap is not None:
            assert own[at[pid] : at[pid] + 1] in ([trap.epc], [])


@pytest.mark.parametrize("name", PROGRAMS)
def test_reported_registers_and_memory_are_those_of_single_steps(name: str) -> None:
    program = PROGRAMS[name]()
    steps = stepped(program)
    reported = [window for window in windows(program, 30, deterministic=True) if window.executed]
    at: dict[int, int] = {}
    for window in reported:
        pid, count = window.fault.thread.process.pid, len(window.executed)
        own = [step for step in steps if step.pid == pid]
        ends = range(at.get(pid, count), len(own) + 1)
        at[pid] = next(
            end for end in ends if all(map(_agrees, window.executed, own[end - count : end]))
        )
    every = [step for window in reported for step in window.executed]
    unknown = [step for step in every if "?" in step.line]
    assert len(every) > 10 * len(unknown)


def _agrees(reported: Executed, stepped: Step) -> bool:
    """Compares a reported instruction with a step; an unknown register value may be absent."""
    register, value = stepped.changed or (None, None)
    if reported.pc != stepped.pc or (reported.operand is None) != (stepped.accessed is None):
        return False
    if stepped.accessed is not None and reported.address not in (None, stepped.accessed[0]):
        return False
    if not reported.register:
        return register is None or reported.text == "ecall"
    return register is None or (
        register == REGISTERS[reported.register] and reported.value in (None, value)
    )


def test_what_was_loaded_and_written_over_is_not_known() -> None:
    text = """
        lla t0, pages
        sd t0, 0(t0)
        sd t0, 8(t0)
        ld a1, 0(t0)
        ld a1, 8(a1)
        sd a1, 8(a1)
        li a1, 5
        sb zero, 4(t0)
        lla t1, pages + 4096
        sb zero, 0(t1)
        exit 0
        reserve 2
    """
    program = assembled(text)
    pages = label(program, "pages")
    window = by_stores(windows(program, 7), program)[-1]
    texts = [step.line.split("  ", 1)[1].split("  ", 1)[-1].strip() for step in window.executed]
    assert texts[:3] == [
        f"a1=?  load {pages:#x} (8)",
        "a1=?  load ? (8)",
        "store ? (8)",
    ]
    assert texts[3:5] == ["a1=0x5", f"store {pages + 4:#x} (1)"]


def _find(own: list[int], pcs: list[int], start: int) -> int:
    """Index in ``own`` after the next occurrence of ``pcs`` at or after ``start``."""
    for end in range(start, len(own) + 1):
        if own[max(0, end - len(pcs)) : end] == pcs:
            return end
    raise AssertionError(f"not executed: {pcs}")


def test_lines() -> None:
    program = assembled(LINE)
    store = label(program, "store")
    first, _ = by_stores(windows(program, 2), program)
    assert window_lines(first) == [
        f"[pid 2]    {store - 4:#x}  c.nop",
        f"[pid 2]    {store - 2:#x}  {'c.li a2, 3':24}  a2=0x3",
    ]

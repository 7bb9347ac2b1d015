"""Are our machine's accesses on random page tables the same as of qemu-system-riscv64?

The log has each access's cause and mtval, what it read, and which A and D bits it set; qemu isn't
needed to read it. ``make bare-metal-log`` makes it anew.
"""

from __future__ import annotations

from collections import Counter

import pytest

from emu.machine.sv39 import Rule
from tests.oracles.bare import log
from tests.oracles.bare.cases import Case, Kind, arena_digest
from tests.oracles.bare.qemu import Difference, Qemu, is_a_store_fault
from tests.oracles.bare.replay import Machine

TEXT = log.load()
SVADE_ONLY = {Rule.NOT_ACCESSED, Rule.NOT_DIRTY}


def compare(text: str, *, on_hart: bool) -> tuple[Counter[Rule | Kind], Counter[Difference]]:
    """Repeats the log; returns counts of rules broken and kinds done, and of qemu's differences."""
    machine = Machine(on_hart=on_hart)
    occurred: Counter[Rule | Kind] = Counter()
    differed: Counter[Difference] = Counter()
    seed, _ = log.header(text)
    for number, entry in enumerate(log.entries(text)):
        case = Case(seed, number)
        assert case.digest() == entry.digest, "fuzz.c and cases.py draw different tables"
        machine.begin(case)
        for n, theirs in enumerate(entry.outcomes):
            request = case.request()
            qemu = Qemu(machine, request)
            ours = machine.do(request)
            expected, why = qemu.answer(ours)
            assert theirs == expected, f"case {number}, access {n}: {request}, ours {ours}"
            assert is_a_store_fault(request, ours), f"case {number}, access {n}: {request}"
            machine.adopt(theirs.changes, ours)
            differed.update(why)
            occurred[ours.rule or request.kind] += 1
        if entry.arena is not None:
            assert arena_digest(machine.ram) == entry.arena, f"memory differs by case {number}"
    return occurred, differed


@pytest.mark.parametrize("on_hart", [False, True], ids=["mmu", "hart"])
def test_cause_tval_value_and_page_tables_are_as_on_qemu(*, on_hart: bool) -> None:
    occurred, differed = compare(TEXT, on_hart=on_hart)
    assert set(differed) == set(Difference), "a difference never occurred"
    assert set(occurred) == {*Kind, *Rule} - SVADE_ONLY, "some rule was never broken, or kind done"


def test_the_log_is_whole() -> None:
    assert log.header(TEXT) == (log.SEED, log.CASES)
    assert sum(1 for _ in log.entries(TEXT)) == log.CASES

"""The lab ``walk``: does its grader distinguish right walks from wrong ones, and show the error?"""

from __future__ import annotations

import random
from collections import Counter

from emu.lab.graded.submission import Submission
from emu.lab.host.student import LabFile
from emu.lab.kit.values import Access, Mode
from emu.lab.labs.walk.cases import random_case
from emu.lab.labs.walk.translations import SATP, Bench
from emu.lab.simulation.differential import Failure
from emu.lab.workspace.catalogue import LABS
from emu.machine.sv39 import Rule

LAB = LABS["walk"]
BY_NAME = {test.name: test for test in LAB.tests}


def submission(source: str) -> Submission:
    return LAB.submission([LabFile(LAB.name, LAB.file, source)])


def failure(test: str, old: str, new: str) -> Failure:
    """Failure of the reference with ``new`` in place of ``old``."""
    assert LAB.solution.count(old) == 1
    found = BY_NAME[test].run(submission(LAB.solution.replace(old, new)))
    assert found is not None
    return found


def test_a_wrong_result_is_reported_with_the_walk_and_the_step_of_the_spec() -> None:
    found = failure("superpages", "1 << PAGE_SHIFT + 9 * level) - 1\n", "1 << PAGE_SHIFT) - 1\n")
    assert found.when == "load from 0x1234 in U-mode"
    assert found.lines == [
        "satp 0x8000000000080001: Sv39, ASID 0, root table in frame 0x80001",
        "level 2  index   0  PTE at 0x80001000  0x0000000020000801 -------V → table 0x80002",
        "level 1  index   0  PTE at 0x80002000  0x00000000200800df RWXU-ADV → "
        "2 MiB from frame 0x80200",
        "your result    physical address 0x80200234",
        "specification  physical address 0x80201234 (step 10): at level 1 the offset has 21 bits",
    ]


def test_the_rule_that_was_overlooked_is_named() -> None:
    found = failure("pointers", "pte & (A | D | U) or level == 0", "level == 0")
    assert found.lines[-1] == (
        "specification  page fault (step 4): "
        "the PTE points to a table but sets A, D or U, which are reserved there"
    )


def test_a_needless_store_is_reported_with_its_line() -> None:
    found = failure("exact-pte-writes", "if pte & used != used:", "if True:")
    line = 1 + LAB.solution[: LAB.solution.index("memory.store(")].count("\n")
    assert found.lines[-2:] == [
        "the PTE at 0x80003000 was written, but needs no change (step 9)",
        f"your code wrote it at walk.py:{line}, in translate()",
    ]


def test_a_missing_store_to_a_pte_is_reported() -> None:
    found = failure("accessed-and-dirty", "        memory.store(entry, pte)\n", "")
    assert found.lines[-1].startswith("your code did not write it (expected memory.store(0x")


def test_a_store_outside_the_tables_is_reported() -> None:
    found = failure("accessed-and-dirty", "memory.store(entry, pte)", "memory.store(page, pte)")
    assert found.name == "not-allowed"
    assert "which is not a PTE" in found.when


def test_an_exception_is_reported_with_the_walk() -> None:
    old = "        if not holds(memory, entry):\n            return Fault.ACCESS\n"
    found = failure("outside-memory", old, "")
    assert found.name == "raised"
    assert found.lines[0].startswith("walk.py:")
    assert found.lines[-1].endswith("outside memory")


def test_random_tables_reach_every_rule() -> None:
    source = random.Random(0)
    with Bench([LabFile(LAB.name, LAB.file, LAB.solution)]) as bench:
        rules = Counter(bench.judge(random_case(source)).rule for _ in range(4000))
    assert set(rules) == {None, *Rule} - {Rule.NOT_ACCESSED, Rule.NOT_DIRTY}
    assert min(rules.values()) >= 10
    assert rules[None] > 400


def test_a_random_case_is_made_simple() -> None:
    """The failure is an unaligned superpage; the mode, the ASID and RSW do not matter."""
    found = failure("random-tables", "if page & (1 << PAGE_SHIFT + 9 * level) - 1:", "if False:")
    assert found.when.endswith("-mode")
    assert found.lines[0].startswith(f"satp {SATP:#x}")
    leaf = next(line for line in found.lines if "iB from frame" in line)
    flags = int(leaf.split()[7], 16) & 0x3FF
    assert flags.bit_count() <= 4


def test_a_program_that_can_never_go_on_is_stopped() -> None:
    found = failure("isolation", "vpn(address, level)", "vpn(address, LEVELS - 1 - level)")
    assert found.name == "wrong-result"
    assert "1000 times in a row" in found.when
    assert found.lines[-1] == "by the specification: all steps allow it"


def test_the_modes_of_a_case_are_plain_by_default() -> None:
    source = random.Random(1)
    cases = [random_case(source) for _ in range(500)]
    assert {case.access for case in cases} == set(Access)
    assert any(case.mode == Mode() for case in cases)
    assert any(case.mode.sum and case.mode.mxr for case in cases)

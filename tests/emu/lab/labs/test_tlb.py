"""Does the lab ``tlb`` distinguish right from wrong, and what does it report?"""

from __future__ import annotations

import pytest

from emu.lab.components.lab_tlb import TlbEntries
from emu.lab.components.table_diff import changes, snapshot
from emu.lab.graded import guest_tests
from emu.lab.graded.mutant import Mutant
from emu.lab.graded.submission import Submission, run
from emu.lab.host.failures import StudentFailed
from emu.lab.host.student import LabFile
from emu.lab.kit.values import Fence, PteChange, Switch
from emu.lab.labs.tlb.model.fence_rules import flushed_by, is_optional, needed_fences
from emu.lab.labs.tlb.model.hazards import Harm
from emu.lab.labs.tlb.model.kernel import Answers, FenceQuery
from emu.lab.labs.tlb.model.machine import Entry, Key, Machine
from emu.lab.labs.tlb.model.search import shortest
from emu.lab.labs.tlb.model.start_states import (
    HUGE,
    KERNEL,
    PAGE,
    correct_answers,
    forking,
    unlinking,
)
from emu.lab.simulation.differential import Failure
from emu.lab.workspace.catalogue import find
from emu.machine.cause import Access
from emu.machine.pte import A, D, G, R, U, V, W, make_pte, make_satp
from emu.machine.ram import Ram
from emu.machine.sv39 import Translation

LAB = find("tlb")
TESTS = {test.name: test for test in LAB.tests}
MUTANTS = {mutant.name: mutant for mutant in LAB.mutants}


def submission(source: str) -> Submission:
    return LAB.submission([LabFile("tlb", LAB.file, source)])


def failure_of(mutant: str, test: str) -> Failure:
    result = run(TESTS[test], submission(MUTANTS[mutant].apply(LAB.solution)))
    assert result.failure is not None
    return result.failure


# The reference, the skeleton, and the wrong solutions.


@pytest.mark.parametrize("mutant", LAB.mutants, ids=lambda mutant: mutant.name)
def test_is_a_mutant_detected_by_each_expected_test(mutant: Mutant) -> None:
    wrong = submission(mutant.apply(LAB.solution))
    for name in mutant.detected_by:
        failure = run(TESTS[name], wrong).failure
        assert failure is not None, name
        assert failure.name not in ("raised", "not-implemented", "wrong-result"), failure


# The search.


def test_is_the_shortest_sequence_found() -> None:
    harmful = shortest(forking(), Answers(lambda question: []), depth=5)
    assert harmful is not None
    assert [str(step.event).split(":")[0] for step in harmful.steps] == ["pid 1 forks"]
    assert harmful.hazard.harm is Harm.STORES_TO_ANOTHERS


def test_does_it_need_the_second_hart_when_the_first_is_fenced() -> None:
    def here_only(question: FenceQuery) -> list[Fence]:
        return [fence for fence in correct_answers()(question) if fence.hart == 0]

    harmful = shortest(forking(), Answers(here_only), depth=5)
    assert harmful is not None
    assert len(harmful.steps) == 2
    assert harmful.hazard.hart == 1


def test_does_a_walk_through_a_freed_table_count_as_harm() -> None:
    def leaves_only(question: FenceQuery) -> list[Fence]:
        return [fence._replace(address=PAGE) for fence in correct_answers()(question)]

    assert shortest(unlinking(), Answers(leaves_only), depth=2) is None  # still free
    harmful = shortest(unlinking(), Answers(leaves_only), depth=5)
    assert harmful is not None


def test_is_each_query_made_once() -> None:
    questions: list[FenceQuery] = []

    def ask(question: FenceQuery) -> list[Fence]:
        questions.append(question)
        return correct_answers()(question)

    shortest(forking(), Answers(ask), depth=4)
    assert len(questions) == len(set(questions)) > 3


def test_is_a_fence_on_a_hart_that_is_not_there_refused() -> None:
    answers = Answers(lambda question: [Fence(7)], harts=2)
    with pytest.raises(StudentFailed, match="harts 0 to 1"):
        answers(Switch(0, 1, 1, None))


# Entries that a fence flushes.

LEAF = Entry(1, Key(0, PAGE), make_pte(0x80231, V | R | U | A))
SUPERPAGE = Entry(1, Key(1, HUGE), make_pte(0x80400, V | R | U | A))
POINTER = Entry(1, Key(1, 0), make_pte(0x80230, V))
GLOBAL = Entry(0, Key(0, KERNEL), make_pte(0x80232, V | R | G | A))
FOREIGN = Entry(2, Key(0, PAGE), make_pte(0x80233, V | R | U | A))
ALL = frozenset({LEAF, SUPERPAGE, POINTER, GLOBAL, FOREIGN})


@pytest.mark.parametrize(
    "fence, dropped",
    [
        (Fence(0, 1, PAGE), {LEAF}),
        (Fence(0, 1, HUGE + 0x5000), {SUPERPAGE}),
        (Fence(0, 1), {LEAF, SUPERPAGE, POINTER}),
        (Fence(0, None, PAGE), {LEAF, FOREIGN}),
        (Fence(0, None, KERNEL), {GLOBAL}),
        (Fence(0, 0, KERNEL), set()),
        (Fence(0), ALL),
        (Fence(1), set()),
    ],
)
def test_which_entries_does_a_fence_flush(fence: Fence, dropped: set[Entry]) -> None:
    machine = Machine(3, tlbs=[ALL, frozenset()])
    machine.fence([fence])
    assert ALL - machine.tlbs[0] == dropped


def change(before: int, after: int, level: int = 0) -> PteChange:
    return PteChange(HUGE, level, 1, before, after, (0, 1), 0)


def test_is_the_rule_as_the_specification_has_it() -> None:
    page = make_pte(0x80400, V | R | W | U | A | D)
    table = make_pte(0x80230, V)
    assert needed_fences(change(page, page & ~W)) == [Fence(0, 1, HUGE), Fence(1, 1, HUGE)]
    assert needed_fences(change(page & ~W, page)) == []
    assert needed_fences(change(0, page)) == []
    assert needed_fences(change(page | G, 0))[0] == Fence(0, None, HUGE)
    assert needed_fences(change(table, 0, 1))[0] == Fence(0, 1)
    assert needed_fences(change(page, table, 1))[0] == Fence(0, 1, HUGE)
    assert is_optional(change(page, page & ~A))
    assert not is_optional(change(page, page & ~D))


def test_does_a_fence_of_everything_flush_more_than_one_of_a_page() -> None:
    question = change(make_pte(0x80400, V | R | U | A), 0)
    page, everything = ([Fence(0, 1, HUGE)], [Fence(0)])
    assert flushed_by(page, question) < flushed_by(everything, question)


# Messages.


def test_does_a_message_name_the_step_the_hart_and_what_was_returned() -> None:
    failure = failure_of("this-hart-only", "fork")
    text = "\n".join(failure.lines)
    assert failure.when == "pid 1 stores to a frame that is pid 2's 0x11000"
    assert "you returned: Fence(hart=0, asid=1, address=0x11000)" in text
    assert "TLB of hart 1:  0x11000  0x80231 RW-U-AD  (ASID 1)   ← stale" in text
    assert "page table:     0x11000  0x80231 R--U-AD CoW" in text
    assert failure.lines[-1].endswith(
        "at step 2, and returned no fence on hart 1, which may have cached it"
    )


def test_is_the_handouts_example_what_the_grader_reports() -> None:
    failure = failure_of("this-hart-only", "fork")
    lines = [f"  {failure.name}   {failure.when}", *(f"    {line}" for line in failure.lines)]
    assert "\n".join(lines) in LAB.handout
    assert TESTS["fork"].question in LAB.handout


@pytest.mark.parametrize(
    "mutant, test, reason",
    [
        ("pointer-by-address", "table-freed", "they flush leaf PTEs, but not pointers"),
        ("global-by-asid", "global-page", "they do not flush global translations"),
        ("asid-is-never-reused", "asid-reuse", "fences_for_switch() was called for this switch"),
        ("copy-adds-w", "copy-on-write", "at step 1, and returned nothing"),
    ],
)
def test_does_a_message_say_why_the_entry_is_still_there(
    mutant: str, test: str, reason: str
) -> None:
    assert reason in failure_of(mutant, test).lines[-1]


def test_does_a_message_name_the_entries_that_were_flushed_needlessly() -> None:
    failure = failure_of("whole-asid", "one-page")
    assert failure.name == "flushed-too-much"
    assert "hart 0 flushes every other page of ASID 1" in failure.lines


def test_is_a_result_that_is_not_a_list_of_fences_reported() -> None:
    source = LAB.solution.replace(
        "    return [Fence(hart, asid, address)", "    return 1 or [Fence(hart, asid, address)"
    )
    failure = run(TESTS["fork"], submission(source)).failure
    assert failure is not None
    assert failure.name == "wrong-result"
    assert "a list of Fences" in failure.when


# The TLB whose entries only fences flush.


def test_does_the_real_tlb_keep_an_entry_until_the_fence() -> None:
    satp, tlb = make_satp(0x80100, 2), TlbEntries()
    tlb.add(satp, PAGE + 0x10, Access.LOAD, Translation(0x80231010, make_pte(0x80231, V | R), 0))
    found = tlb.get(satp, PAGE + 0x24, Access.LOAD)
    assert found is not None
    assert found.pa == 0x80231024
    assert tlb.get(satp, PAGE, Access.STORE) is None
    for other in (Fence(0, 1, PAGE), Fence(0, 2, PAGE + 0x1000), Fence(0, 1)):
        tlb.fence(other)
    assert tlb.get(satp, PAGE, Access.LOAD) is not None
    tlb.fence(Fence(0, 2, PAGE))
    assert tlb.get(satp, PAGE, Access.LOAD) is None


def test_is_a_changed_pte_reported_but_not_bits_that_the_walk_set() -> None:
    ram = Ram(1 << 20)
    root, middle, leaf = (ram.base >> 12) + 1, (ram.base >> 12) + 2, (ram.base >> 12) + 3
    ram.store64(root << 12, make_pte(middle, V))
    ram.store64(middle << 12, make_pte(leaf, V))
    ram.store64((leaf << 12) + 8, make_pte(0x80050, V | R | W | U))
    ram.store64((leaf << 12) + 16, make_pte(0x80051, V | R | W | U))
    before = snapshot(ram, root, {})
    ram.store64((leaf << 12) + 8, make_pte(0x80050, V | R | W | U | A | D))
    ram.store64((leaf << 12) + 16, make_pte(0x80051, V | R | U | A | D))
    after = snapshot(ram, root, before)
    assert [tuple(each) for each in changes(before, after)] == [
        (0, 0x2000, make_pte(0x80051, V | R | W | U | A | D), make_pte(0x80051, V | R | U | A | D))
    ]


def test_is_a_guest_program_caught_that_leaves_out_what_it_should_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without fences, parent and child may both take the parent's branch, and both pass."""
    more = b"ok   the grandchild agrees\n"
    right = guest_tests.reference_output
    monkeypatch.setattr(
        guest_tests, "reference_output", lambda program, memory: right(program, memory) + more
    )
    failure = run(TESTS["isolation"], submission(LAB.solution)).failure
    assert failure is not None
    assert failure.lines == ["not printed: ok   the grandchild agrees"]

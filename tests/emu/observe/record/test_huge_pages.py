"""Are huge pages in a trace as the guest makes and splits them?"""

from __future__ import annotations

import pytest

from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, ppn
from emu.observe.model.records import AnyRecord, CopyEnd, Fault, Fork, Page, PageSize, Sample
from emu.observe.model.sink import RecordingOptions
from emu.observe.record import address_space_pids
from emu.observe.record.memory_usage import MemoryUse, memory_use, memory_use_from_counts
from emu.options import Options
from emu.session import Session
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking.fork import POLICIES
from kernel.mm.forking.fork_cost import ForkCost
from kernel.mm.usage.page_counts import PSS_SHIFT, PageCounts, count_pages
from kernel.mm.usage.page_users import PageUsers
from kernel.process.observer import Observer
from kernel.process.process import Process, Thread
from tests.emu.observe.support.huge_guest import (
    AT,
    COLLAPSED,
    FIRST,
    MOVES,
    PAGE,
    SECOND,
    SOURCE,
    ZEROES,
    huge_run,
)
from tests.emu.observe.support.ledger import (
    contradictions,
    copies_without_one_end,
    counts,
    of_kind,
    sums,
)
from tests.emu.observe.support.recorded import record
from tests.kernel.syscalls.guests import compiled

COW = ("page", "huge")


def on_huge_pages(records: list[AnyRecord]) -> list[tuple[int, str, bool, bool]]:
    """(address, outcome, huge, split) of the faults in the guest's four huge pages."""
    return [
        (fault.stval, fault.outcome, fault.huge, fault.split)
        for fault in of_kind(records, Fault)
        if AT <= fault.stval < AT + 4 * HUGE_SIZE
    ]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("cow", COW)
def test_are_the_sums_the_kernels(policy: str, cow: str) -> None:
    run = huge_run(fork_policy=policy, thp_cow=cow)
    assert sums(run.records) == counts(run)
    assert [c for fault in of_kind(run.records, Fault) for c in contradictions(fault)] == []
    assert copies_without_one_end(run.records) == []


BEFORE_THE_FORK = [
    (FIRST + 5 * PAGE, "zero_filled", True, False),
    (SECOND, "zero_filled", True, False),
    (ZEROES + 9, "zero_shared", True, False),
]
AT_THE_END = [
    (COLLAPSED, "zero_filled", False, False),
    (COLLAPSED + PAGE, "zero_filled", False, False),
]
REPLACED = (ZEROES + PAGE, "zero_filled", True, False)
REUSED = (FIRST + 6 * PAGE, "reused", True, False)


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
def test_does_a_store_to_a_shared_one_split_it(policy: str) -> None:
    run = huge_run(fork_policy=policy)
    copied = [
        (FIRST + 7 * PAGE, "copied", False, True),
        (FIRST + 9 * PAGE, "copied", False, False),
    ]
    assert on_huge_pages(run.records) == [*BEFORE_THE_FORK, *copied, REPLACED, REUSED, *AT_THE_END]
    assert ends_in(run.records, FIRST) == [(FIRST + 7 * PAGE, 2), (FIRST + 9 * PAGE, 1)]


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
def test_is_a_whole_copy_one_fault_of_512_pages_with_one_end(policy: str) -> None:
    run = huge_run(fork_policy=policy, thp_cow="huge")
    copied = (FIRST + 7 * PAGE, "copied", True, False)
    assert on_huge_pages(run.records) == [*BEFORE_THE_FORK, copied, REPLACED, REUSED, *AT_THE_END]
    (fault,) = [
        fault for fault in of_kind(run.records, Fault) if fault.outcome == "copied" and fault.huge
    ]
    assert (fault.first_page, fault.pages) == (FIRST, HUGE_FRAMES)
    assert [changed for _, changed in ends_in(run.records, FIRST)] == [3]


def ends_in(records: list[AnyRecord], huge: int) -> list[tuple[int, int]]:
    """(address, bytes changed) of the copies that end in a huge page."""
    ends = [end for end in of_kind(records, CopyEnd) if huge <= end.address < huge + HUGE_SIZE]
    return [(end.address, end.bytes_changed) for end in ends]


SPLIT_AFTER_A_WHOLE_COPY = SOURCE.replace(
    "at[9 * PAGE] = 4;",
    """at[9 * PAGE] = 4;
        munmap(at + 7 * PAGE, PAGE);
        if (!fork()) { at[9 * PAGE] = 8; at[10 * PAGE] = 8; _exit(0); }
        wait(NULL);
        madvise(at + 9 * PAGE, PAGE, MADV_DONTNEED);""",
)


def test_does_a_whole_copy_end_with_its_last_page() -> None:
    records = record([compiled(SPLIT_AFTER_A_WHOLE_COPY)], thp_cow="huge").records
    assert copies_without_one_end(records) == []
    whole = next(f for f in of_kind(records, Fault) if f.huge and f.outcome == "copied")
    end = next(end for end in of_kind(records, CopyEnd) if end.fault == whole.seq)
    assert (end.bytes_changed, end.why) == (3, "discarded")
    of_grandchild = [e for e in of_kind(records, CopyEnd) if e.pid == 4 and e.address >= AT]
    assert [e.bytes_changed for e in of_grandchild if e.address < ZEROES] == [1, 1]


@pytest.mark.parametrize("policy", POLICIES)
def test_who_splits_and_collapses_one(policy: str) -> None:
    resized = of_kind(huge_run(fork_policy=policy).records, PageSize)
    assert [(each.pid, each.address, each.huge, each.call) for each in resized] == [
        (2, FIRST, False, "munmap"),
        (2, SECOND, False, "mprotect"),
        (2, COLLAPSED, True, "madvise"),
    ]
    assert all(each.place is not None and each.place.pc for each in resized)


def test_is_one_split_that_cannot_move_whole_or_is_locked_in_part() -> None:
    run = record([compiled(MOVES)])
    assert run.status == 0
    resized = [(each.address, each.call) for each in of_kind(run.records, PageSize)]
    assert resized == [(SECOND, "mremap"), (ZEROES, "mlock")]
    assert sums(run.records) == counts(run)


def test_do_walks_end_at_level_1() -> None:
    faults = of_kind(huge_run().records, Fault)
    copied = next(fault for fault in faults if fault.split)
    assert [entry.level for entry in copied.walk] == [2, 1]
    assert copied.walk[-1].pte is not None
    assert copied.frame_before == ppn(copied.walk[-1].pte) + 7
    assert [(sharer.pid, sharer.address) for sharer in copied.sharers] == [(2, FIRST + 7 * PAGE)]


class _Usage(Observer):
    """Compares the usage of all processes, as samples count it, with smaps's counts."""

    def __init__(self) -> None:
        self.compared = 0
        self.spaces: dict[AddressSpace, None] = {}

    def _compare(self) -> None:
        spaces = [space for space in self.spaces if space.alive]
        for space, use in zip(spaces, memory_use(spaces), strict=True):
            counted, users = PageCounts(), PageUsers(space.frames)
            for vma in space.vmas:
                counted.add(count_pages(space, vma, users))
            assert use.resident == counted.resident
            assert use.unique == counted.private_clean + counted.private_dirty
            pss = counted.pss / PAGE / (1 << PSS_SHIFT)
            assert use.proportional == pytest.approx(pss, rel=1e-3)
            assert _rounded(memory_use_from_counts(space)) == _rounded(use)
            self.compared += counted.huge > 0

    def forked(self, thread: Thread, child: Process, cost: ForkCost | None) -> None:
        self.spaces |= dict.fromkeys((thread.process.space, child.space))
        self._compare()

    def huge_split(self, space: AddressSpace, start: int) -> None:
        self._compare()

    def collapsed(self, space: AddressSpace, start: int, copied: int) -> None:
        self._compare()

    def leaving(self, process: Process) -> None:
        if self.spaces:
            self._compare()


def _rounded(use: MemoryUse) -> tuple[int, float, int]:
    return use.resident, round(use.proportional, 6), use.unique


@pytest.mark.parametrize("policy", ["cow", "eager"])
@pytest.mark.parametrize("cow", COW)
def test_do_samples_count_their_pages_as_smaps_does(policy: str, cow: str) -> None:
    usage = _Usage()
    session = Session(Options(fork_policy=policy, thp_cow=cow), [str(compiled(SOURCE))])
    assert session.run([usage]) == 0
    assert usage.compared >= 5


def test_does_a_sample_have_them() -> None:
    run = huge_run()
    (fork,) = of_kind(run.records, Fork)
    parent, child = [sample for sample in of_kind(run.records, Sample) if sample.seq > fork.seq][:2]
    assert fork.pages_shared >= 3 * HUGE_FRAMES, "zeroes are shared too"
    few = 200
    assert 2 * HUGE_FRAMES < child.resident < 2 * HUGE_FRAMES + few, "zeroes are not resident"
    assert child.resident <= parent.resident < child.resident + few
    assert child.unique == 0
    # Two segments may map the same page of the file, which has more than two users then.
    assert child.resident / 2 - few / 2 < child.proportional <= child.resident / 2


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("page", [FIRST + 7 * PAGE, FIRST + 8 * PAGE, ZEROES + PAGE, COLLAPSED])
def test_are_watched_pages_the_same_read_all_at_once(
    page: int, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watched(many: int) -> list[AnyRecord]:
        monkeypatch.setattr(address_space_pids, "_MANY", many)
        return huge_run(RecordingOptions(pages={page}), fork_policy=policy).records

    one_by_one = watched(1 << 30)
    assert watched(1) == one_by_one
    states = [record for record in of_kind(one_by_one, Page) if record.address == page]
    assert len(states) >= 2

"""Is the memory of MAP_HUGETLB in a trace as the guest uses it?"""

from __future__ import annotations

import pytest

from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, PAGE_SIZE
from emu.observe.analysis.cow_collector import profile
from emu.observe.model.records import AnyRecord, CopyEnd, Fault
from kernel.mm.forking.fork import POLICIES
from tests.emu.observe.support.ledger import (
    contradictions,
    copies_without_one_end,
    counts,
    of_kind,
    sums,
)
from tests.emu.observe.support.recorded import record
from tests.kernel.syscalls.guests import compiled

AT = 0x4000_0000
PRIVATE, SHARED = AT, AT + 2 * HUGE_SIZE
SOURCE = r"""
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define HUGE (2UL << 20)
#define PAGE 4096
static volatile char *huge(unsigned long at, int kind)
{
    return mmap((void *)at, 2 * HUGE, PROT_READ | PROT_WRITE,
                kind | MAP_ANONYMOUS | MAP_FIXED | 0x40000 /* MAP_HUGETLB */, -1, 0);
}
int main(void)
{
    int status;
    volatile char *own = huge(0x40000000, MAP_PRIVATE), *all = huge(0x40400000, MAP_SHARED);
    if (own == MAP_FAILED || all == MAP_FAILED)
        return 1;
    own[5 * PAGE] = 1;
    own[HUGE] = 1;
    all[0] = 1;
    if (!fork()) {
        own[7 * PAGE] = 2;
        own[7 * PAGE + 1] = 2;
        all[PAGE] = 3;
        _exit(own[5 * PAGE] + all[0] - 2);
    }
    wait(&status);
    own[0] = 4;
    return status + all[PAGE] - 3;
}
"""


def outcomes(records: list[AnyRecord]) -> list[tuple[int, int, str, bool]]:
    """(pid, address, outcome, huge) of the faults in the guest's pages of the pool."""
    return [
        (fault.pid, fault.stval, fault.outcome, fault.huge)
        for fault in of_kind(records, Fault)
        if AT <= fault.stval < AT + 4 * HUGE_SIZE
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_are_its_pages_copied_and_shared_whole(policy: str) -> None:
    run = record([compiled(SOURCE)], fork_policy=policy, hugetlb=8, deterministic=True)
    assert run.status == 0, run.output
    assert sums(run.records) == counts(run)
    for fault in of_kind(run.records, Fault):
        if AT <= fault.stval < AT + 4 * HUGE_SIZE:  # the pool is a user of the frame, too
            fault.count_before -= fault.count_before > 0
            fault.count_after -= fault.count_after > 0
        assert contradictions(fault) == []
    assert copies_without_one_end(run.records) == []
    found = outcomes(run.records)
    assert found[:3] == [
        (2, PRIVATE + 5 * PAGE_SIZE, "zero_filled", True),
        (2, PRIVATE + HUGE_SIZE, "zero_filled", True),
        (2, SHARED, "shared", True),
    ]
    assert (3, PRIVATE + 7 * PAGE_SIZE, "copied", True) in found
    assert found[-1] == (2, PRIVATE, "reused", True)


@pytest.mark.parametrize("policy", POLICIES)
def test_does_the_profile_count_a_copy_as_512_pages(policy: str) -> None:
    run = record([compiled(SOURCE)], fork_policy=policy, hugetlb=8, deterministic=True)
    found = profile(run.records)
    assert (found.huge_copied, found.bytes_copied) == (
        1,
        run.summary["frames_copied"] * PAGE_SIZE,
    )
    copy = next(f for f in of_kind(run.records, Fault) if f.huge and f.outcome == "copied")
    end = next(end for end in of_kind(run.records, CopyEnd) if end.fault == copy.seq)
    assert (copy.pages, end.bytes_changed) == (HUGE_FRAMES, 2)

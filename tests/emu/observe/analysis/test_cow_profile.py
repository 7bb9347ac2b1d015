"""Is the copy-on-write profile equal to the expected one, and to the kernel's own counts?"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.observe.analysis.cow_collector import CowCollector, profile
from emu.observe.analysis.cow_profile import PAGE_SIZE, CowProfile, Side
from emu.observe.analysis.cow_text import cow_text, limit_message
from emu.observe.model import records
from emu.observe.model.records import Range, Sharer, SourceLocation
from guest.manifest import BY_NAME
from kernel.mm.forking.fork import POLICIES
from tests.emu.observe.support.huge_guest import huge_run
from tests.emu.observe.support.recorded import Recorded, record
from tests.guest.running import built
from tests.kernel.syscalls.guests import compiled


def profiled(name: str, *arguments: str, policy: str = "cow") -> CowProfile:
    command: list[str | Path] = [built(BY_NAME[name], "static"), *arguments]
    run = record(command, fork_policy=policy, deterministic=True)
    assert run.status == 0, run.output
    return checked(run)


def checked(run: Recorded) -> CowProfile:
    """Returns the profile; its sums must equal the kernel's own counts."""
    found, faults = profile(run.records), run.summary["faults"]
    assert found.summary == run.summary
    assert found.copies == faults["copied"]
    assert found.frames_copied == run.summary["frames_copied"]
    assert found.reused == run.summary["frames_reused"]
    assert found.huge_mapped == run.summary["huge_mapped"]
    assert found.huge_split == run.summary["huge_split"]
    assert found.huge_collapsed == run.summary["huge_collapsed"]
    assert found.collapse_copies == run.summary["huge_collapse_copies"]
    if not found.huge_mapped:
        assert (found.copied, found.reused) == (faults["copied"], faults["reused"])
    assert found.file_copied == faults["file_copied"]
    assert found.eager_copies == run.summary["eager_frames_copied"]
    assert found.bytes_copied == run.summary["frames_copied"] * PAGE_SIZE
    assert len(found.forks) == run.summary["forks"]
    sides = [side for fork in found.forks for side in (fork.by_parent, fork.by_child)]
    sides.append(found.without_fork)
    copied = found.copied + found.collapse_copies
    assert sum(side.copied for side in sides) == copied
    assert sum(side.reused for side in sides) == found.reused
    for ranking in (found.lines, found.functions, found.mappings):
        if not found.collapse_copies:
            assert sum(site.copies for site in ranking) == found.copies
        assert sum(site.bytes_copied for site in ranking) == copied * PAGE_SIZE
        assert sum(site.bytes_changed for site in ranking) == found.bytes_changed
        amounts = [site.bytes_copied for site in ranking]
        assert amounts == sorted(amounts, reverse=True)
    assert found.copies_without_end == 0
    return found


EXACT = {
    # Of each fork: copied and reused by the parent, by the child; then the bytes changed in all.
    "exact_child": ([(0, 16, 5, 0)], 5),
    "exact_parent": ([(16, 0, 0, 16)], 16),
    "exact_chain": ([(0, 8, 8, 0), (0, 0, 8, 0), (0, 0, 8, 0)], 24),
    "exact_zero": ([(0, 0, 0, 0)], 0),
    "exact_kernel": ([(0, 4, 2, 0)], 8),
}


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
@pytest.mark.parametrize("name", EXACT)
def test_is_each_copy_attributed_to_its_fork_and_its_side(name: str, policy: str) -> None:
    forks, changed = EXACT[name]
    found = profiled(name, policy=policy)
    assert [
        (f.by_parent.copied, f.by_parent.reused, f.by_child.copied, f.by_child.reused)
        for f in found.forks
    ] == forks
    assert found.bytes_changed == sum(fork.bytes_changed for fork in found.forks) == changed
    assert found.without_fork == Side()


@pytest.mark.parametrize("name", EXACT)
def test_does_eager_copy_at_the_fork_what_it_was_said_to(name: str) -> None:
    lazy, eager = profiled(name), profiled(name, policy="eager")
    assert eager.copied == eager.reused == eager.bytes_changed == 0
    assert eager.frames_copied == sum(fork.frames_copied for fork in eager.forks)
    assert eager.frames_copied == lazy.eager_copies
    assert not eager.lines


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "name", ["demo_cow", "second_write", "sole_owner", "fork_chain", "zero_page", "kernel_writes"]
)
def test_are_the_sums_the_kernels_own(name: str, policy: str) -> None:
    found = profiled(name, policy=policy)
    per_page = BY_NAME[name].per_page
    if per_page is not None and policy != "eager":
        assert found.copied >= 16 * per_page.copied
        assert found.reused >= 16 * per_page.reused


def test_does_one_further_page_cost_what_the_manifest_says() -> None:
    few, many = profiled("second_write", "16"), profiled("second_write", "48")
    assert many.forks[0].by_child.copied - few.forks[0].by_child.copied == 32
    assert many.forks[0].by_parent.reused - few.forks[0].by_parent.reused == 32
    assert many.bytes_changed - few.bytes_changed == 64  # a page's first byte and its last


def test_is_a_chain_put_down_link_by_link() -> None:
    forks = profiled("fork_chain", "64").forks
    assert len(forks) == 7
    assert all(fork.by_child.copied >= 64 for fork in forks)
    assert forks[0].by_parent.reused >= 64
    assert all(fork.by_parent.copied < 64 for fork in forks)


def test_are_the_kernels_own_stores_attributed_to_the_call_and_the_programs_line() -> None:
    found = profiled("kernel_writes")
    reads = [site for site in found.lines if site.via == "read"]
    assert reads[0].copies >= 16 and reads[0].file.endswith("kernel_writes.c")
    assert {"uname", "getcwd", "readv"} <= {site.via for site in found.lines}


COMPARES = r"""
enum { PAGES = 6 };
static char pages[PAGES * 4096] __attribute__((aligned(4096)));
static char before[sizeof pages];
__attribute__((noinline)) static void store(int at, char letter)
{
    ((volatile char *)pages)[at] = letter;
}
int main(void) {
    for (unsigned at = 0; at < sizeof pages; at++) pages[at] = before[at] = at % 7;
    if (!fork()) {
        for (int at = 0; at < 4096; at++) store(at, 'x');            /* all */
        for (int at = 0; at < 4096; at += 2) store(4096 + at, 'y');  /* half */
        store(2 * 4096, before[2 * 4096]);                           /* the same value */
        store(3 * 4096, 'z'), store(3 * 4096, before[3 * 4096]);     /* changed, and back */
        int differ = 0;
        for (unsigned at = 0; at < sizeof pages; at++) differ += pages[at] != before[at];
        say("%d\n", differ);
        _exit(0);
    }
    wait(0);
}
"""


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
def test_are_the_changed_bytes_what_the_guest_itself_compares(policy: str) -> None:
    run = record([compiled(COMPARES)], fork_policy=policy, deterministic=True)
    found = checked(run)
    (by_store,) = [site for site in found.functions if site.name == "store"]
    assert by_store.copies == 4 and by_store.bytes_changed == int(run.output) == 4096 + 2048
    few = [page for page in found.for_few if "store" in page.where]
    assert [(page.copies, page.bytes_changed) for page in few] == [(1, 0), (1, 0)]
    assert few[1].address - few[0].address == 4096


# Synthetic traces, for events that a guest cannot cause at will.


def fork(seq: int, pid: int, child: int, **more: int) -> records.Fork:
    return records.Fork(seq=seq, time=seq, pid=pid, tid=pid, child=child, **more)  # type: ignore[arg-type]


def store(seq: int, pid: int, outcome: str = "copied", *sharers: int) -> records.Fault:
    return records.Fault(
        seq=seq,
        time=seq,
        pid=pid,
        tid=pid,
        place=SourceLocation(0x10, function="f", file="/src/a.c", line=3),
        access="store",
        cause=15,
        stval=0x5008,
        outcome=outcome,
        vma=Range(0x5000, 0x9000, "rw-p"),
        sharers=[Sharer(sharer, 0x5000) for sharer in sharers],
    )


def copy_end(fault: int, changed: int) -> records.CopyEnd:
    return records.CopyEnd(
        seq=fault + 1, time=1, fault=fault, pid=2, address=0, bytes_changed=changed, why="exit"
    )


def sample(pid: int, resident: int, unique: int) -> records.Sample:
    return records.Sample(
        seq=0, time=1, pid=pid, resident=resident, proportional=9999.5, unique=unique, tables=3
    )


def sides(*trace: records.AnyRecord) -> list[tuple[int, int, int, int]]:
    return [
        (f.by_parent.copied, f.by_parent.reused, f.by_child.copied, f.by_child.reused)
        for f in profile(trace).forks
    ]


def test_is_the_latest_fork_to_blame_whose_child_still_has_the_page() -> None:
    forks = (fork(1, 2, 3), fork(2, 2, 4))
    assert sides(*forks, store(3, 2, "copied", 3, 4)) == [(0, 0, 0, 0), (1, 0, 0, 0)]
    assert sides(*forks, store(3, 2, "copied", 3)) == [(1, 0, 0, 0), (0, 0, 0, 0)]
    assert sides(*forks, store(3, 4, "copied", 3)) == [(0, 0, 0, 0), (0, 0, 1, 0)]
    assert sides(*forks, store(3, 3, "copied", 4)) == [(0, 0, 1, 0), (0, 0, 0, 0)]


def test_does_a_grandchild_count_for_its_parent() -> None:
    forks = (fork(1, 2, 3), fork(2, 3, 4), fork(3, 2, 5))
    assert sides(*forks, store(4, 2, "copied", 4)) == [(1, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    assert sides(*forks, store(4, 3, "reused")) == [(0, 0, 0, 0), (0, 1, 0, 0), (0, 0, 0, 0)]


def test_is_a_page_that_was_new_after_the_fork_attributed_to_none() -> None:
    found = profile([fork(1, 2, 3), store(2, 2, "zero_filled"), store(3, 2, "reused")])
    assert found.without_fork == Side(reused=1) and found.forks[0].by_parent == Side()
    assert "without fork" in cow_text(found)


def test_no_fork_is_blamed_that_kept_the_page_back() -> None:
    ranges = [Range(0x5000, 0x6000, "rw-p")]
    second = records.Fork(seq=2, time=2, pid=2, tid=2, child=4, left_out=ranges)
    third = records.Fork(seq=3, time=3, pid=2, tid=2, child=5, wiped=ranges)
    forks = (fork(1, 2, 3), second, third)
    none = (0, 0, 0, 0)
    assert sides(*forks, store(4, 2, "reused")) == [(0, 1, 0, 0), none, none]
    found = profile([*forks, store(4, 4, "reused"), store(5, 5, "reused")])
    assert found.without_fork == Side(reused=2)
    other = records.Fork(seq=2, time=2, pid=2, tid=2, child=4, left_out=[Range(0, 0x5000, "rw-p")])
    assert sides(fork(1, 2, 3), other, store(4, 4, "reused")) == [none, (0, 0, 0, 1)]


def test_does_a_vforks_child_store_as_its_parent_until_it_execs() -> None:
    borrowed = records.Fork(seq=2, time=2, pid=2, tid=2, child=4, shares_memory=True)
    assert sides(fork(1, 2, 3), borrowed, store(3, 4, "copied", 3)) == [(1, 0, 0, 0)]
    image = records.Exec(seq=3, time=3, pid=4, path="/bin/x", entry=0, root=0, maps=[])
    found = profile([fork(1, 2, 3), borrowed, image, store(4, 4, "reused")])
    assert found.without_fork == Side(reused=1)


def test_is_a_heap_site_without_a_line_reported_by_its_callers() -> None:
    fault = store(2, 3, "copied", 2)
    fault.heap = [
        SourceLocation(1, "xmalloc"),
        SourceLocation(2, "make"),
        SourceLocation(3, "run"),
        SourceLocation(4, "main"),
    ]
    assert [site.name for site in profile([fork(1, 2, 3), fault]).heap] == ["xmalloc ← make ← run"]
    fault.heap[1] = SourceLocation(2, "make", file="/a/make.c", line=7)
    (site,) = profile([fork(1, 2, 3), fault]).heap
    assert (site.name, site.file, site.line) == ("make", "/a/make.c", 7)


def test_is_a_cut_off_trace_reported() -> None:
    found = profile([fork(1, 2, 3), store(2, 3, "copied", 2)])
    assert (found.copies_without_end, found.bytes_changed, found.summary) == (1, 0, {})
    assert "no end in the trace" in cow_text(found)


def test_is_the_text_at_most_80_columns() -> None:
    collector = CowCollector()
    long = SourceLocation(1, function="f" * 90, file="/" + "d" * 90 + "/" + "e" * 90, line=123456)
    for number in range(1, 40):
        at = number * 10
        collector(fork(at, 2, number + 2, pages_shared=123456, eager_copies=99999))
        fault = store(at + 1, number + 2, "copied", 2)
        fault.place = long
        fault.stval = (1 << 38) - 4096 * number
        collector(fault)
        collector(copy_end(at + 1, number))
        for share in range(50):
            collector(sample(number + 2, 10**6 + share, share))
    text = cow_text(collector.result(), top=5)
    assert max(map(len, text.splitlines())) <= 80
    assert "… and 34 forks that copied less" in text


def test_is_the_limit_reported_with_what_copied_most() -> None:
    found = profile([fork(1, 2, 3), store(2, 3, "copied", 2)])
    assert limit_message(found, 4) is None
    message = limit_message(found, 3.5)
    assert message == (
        "4 KiB were copied for fork, more than the 3.5 KiB allowed; most by a.c:3 f (4 KiB)"
    )


def test_is_memory_reported_for_each_image_of_a_process() -> None:
    usages = profiled("fork_exec").memory
    assert len(usages) > len({usage.pid for usage in usages}) > 1
    for usage in usages:
        assert usage.time == sorted(usage.time)
        sizes = zip(usage.resident, usage.proportional, usage.unique, strict=True)
        assert all(resident >= shared >= own >= 0 for resident, shared, own in sizes)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("cow", ["page", "huge"])
def test_does_a_huge_page_count_as_512(cow: str, policy: str) -> None:
    found = checked(huge_run(fork_policy=policy, thp_cow=cow))
    whole = 1 if cow == "huge" and policy != "eager" else 0
    split = 1 if cow == "page" and policy != "eager" else 0
    assert (found.huge_copied, found.huge_split_by_store) == (whole, split)
    assert (found.huge_collapsed, found.huge_split) == (1, 2 + split)
    text = cow_text(found)
    line = next(line for line in text.splitlines() if line.startswith("huge pages "))
    assert line.split(maxsplit=2)[2] == (
        f"{3 + whole}   mapped; {split} split by a store, {whole} copied whole"
    )
    assert "1 collapsed, 2 split otherwise" in text
    assert max(map(len, text.splitlines())) <= 80
    if policy != "eager":
        (fork,) = found.forks
        in_range = next(site for site in found.mappings if site.name.startswith("anonymous 0x4"))
        pages = 512 if whole else 2
        assert (in_range.bytes_copied, in_range.bytes_changed) == (pages * PAGE_SIZE, 3)
        assert fork.by_child.copied >= pages and fork.by_parent.reused >= 512


COLLAPSE_OF_SHARED_PAGES = r"""
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define HUGE (2UL << 20)
#define PAGE 4096
int main(void)
{
    char *at = mmap((void *)0x40000000, HUGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (int page = 0; page < 40; page++)
        at[page * PAGE] = 1;
    if (!fork()) {
        at[0] = 2;
        _exit(madvise(at, HUGE, 25)); /* MADV_COLLAPSE */
    }
    int status;
    wait(&status);
    return status;
}
"""


@pytest.mark.parametrize("policy", POLICIES)
def test_does_a_collapse_copy_the_pages_that_a_fork_shared(policy: str) -> None:
    run = record([compiled(COLLAPSE_OF_SHARED_PAGES)], fork_policy=policy, deterministic=True)
    assert run.status == 0, run.output
    found = checked(run)
    copies = 0 if policy == "eager" else 39
    assert (found.huge_collapsed, found.collapse_copies) == (1, copies)
    mapping = "anonymous 0x40000000 rw-p"
    in_mapping = [site.bytes_copied for site in found.mappings if site.name == mapping]
    assert in_mapping == ([] if policy == "eager" else [(1 + copies) * PAGE_SIZE])
    if copies:
        assert any(site.via == "madvise" for site in found.lines)
        assert f"1 collapsed, {copies} pages copied for it" in cow_text(found)
        assert limit_message(found, 4 * (copies + 1)) is not None


def test_is_nothing_said_of_huge_pages_where_there_are_none() -> None:
    assert "huge" not in cow_text(profiled("exact_child"))

"""Does the history of a page contain each of its events?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from emu.machine.pte import PAGE_MASK, ppn
from emu.observe.analysis.page_episode import Episode
from emu.observe.analysis.page_history import PageHistory
from emu.observe.analysis.page_history_text import page_history_json, page_history_text
from emu.observe.model import records
from emu.observe.model.records import Range, SourceLocation
from emu.observe.model.sink import RecordingOptions
from emu.observe.symbols.address_expression import InvalidAddress
from emu.observe.symbols.elf_file import ElfFile
from emu.observe.symbols.page_target import Target, bias
from guest.manifest import BY_NAME
from kernel.mm.forking.fork import POLICIES
from tests.emu.observe.support.huge_guest import (
    COLLAPSED,
    FIRST,
    PAGE,
    SECOND,
    SOURCE,
    ZEROES,
    huge_run,
)
from tests.emu.observe.support.recorded import HANDLES, record
from tests.guest.running import built
from tests.kernel.syscalls.guests import compiled


def symbol(program: Path, name: str) -> int:
    found = ElfFile(program.read_bytes()).find(name)
    assert found is not None
    return found.address


def page_history(
    program: Path, name: str = "pages", offset: int = 0, policy: str = "cow", **options: Any
) -> PageHistory:
    """History of a page at the symbol ``name`` of a statically linked program."""
    page = symbol(program, name) + offset & ~PAGE_MASK
    recording = RecordingOptions(pages={page})
    run = record([program], recording=recording, fork_policy=policy, **options)
    assert run.status == 0, run.output
    history = PageHistory(page)
    for each in run.records:
        history(each)
    return history


def brief(episode: Episode) -> list[tuple[str, int, int]]:
    """(the step's first word, count before, count after)"""
    return [
        (
            step.text.split(":")[-1].split()[0],
            step.before.holders if step.before else -1,
            step.after.holders if step.after else -1,
        )
        for step in episode.steps
    ]


def exact(name: str, page: int = 0, policy: str = "cow") -> PageHistory:
    return page_history(built(BY_NAME[name], "static"), offset=page << 12, policy=policy)


def test_is_a_page_copied_by_the_child_and_taken_over_by_the_parent() -> None:
    parent, child = exact("exact_child", 0).episodes
    assert brief(parent) == [
        ("mapped", -1, -1),
        ("zero-filled", 0, 1),
        ("shared", 1, 2),
        ("pid", 2, 1),
        ("REUSED", 1, 1),
        ("exit,", 1, 0),
    ]
    assert brief(child) == [("inherited", 0, 2), ("COPIED", 2, 1), ("exit,", 1, 0)]
    assert child.origin is parent and "pid 3 has a copy of its own" == parent.steps[3].text


def test_is_a_page_that_the_child_left_alone_the_parents_again_at_its_end() -> None:
    parent, child = exact("exact_child", 9).episodes
    assert brief(parent)[2:5] == [("shared", 1, 2), ("pid", 2, 1), ("REUSED", 1, 1)]
    assert parent.steps[3].text == "pid 3 ended"
    assert brief(child) == [("inherited", 0, 2), ("exit,", 2, 0)]


def test_is_a_chain_reported_to_its_end() -> None:
    episodes = exact("exact_chain", 3).episodes
    assert [episode.origin for episode in episodes] == [None, *episodes[:3]]
    last = [step for step in episodes[3].steps if "COPIED" in step.text]
    assert last[0].before is not None and last[0].before.holders == 4
    assert "REUSED" in episodes[0].steps[-2].text


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["exact_child", "exact_parent", "exact_chain", "exact_kernel"])
def test_does_each_step_begin_where_the_last_one_ended(name: str, policy: str) -> None:
    for page in range(4):
        history = exact(name, page, policy)
        assert len(history.episodes) == (4 if name == "exact_chain" else 2)
        for episode in history.episodes:
            entry = frame = holders = 0
            for step in episode.steps:
                if step.before is None or step.after is None:
                    continue
                assert (step.before.pte, step.before.frame) == (entry, frame)
                if policy != "shared-tables":  # a copied leaf table adds to the count, at the fault
                    assert step.before.holders == holders
                entry, frame, _, holders = step.after
                assert frame == ppn(entry)
            assert entry == 0, "released"


def test_is_the_zero_page_shown_without_holders() -> None:
    (parent, child) = exact("exact_zero", 1).episodes
    steps = [step for episode in (parent, child) for step in episode.steps]
    zero = [s for s in steps if s.text.endswith("zero page mapped")]
    assert len(zero) == 1 and zero[0].after is not None and zero[0].after.holders == 0
    filled = [s.before for s in steps if s.text.endswith("zero-filled")]
    assert [before.holders for before in filled if before is not None] == [0, 0]


def test_is_the_kernels_store_reported_with_its_call() -> None:
    _, child = exact("exact_kernel", 1).episodes
    assert "by kernel, read, for" in child.steps[1].text


def test_does_eager_copy_at_once_and_shared_tables_later() -> None:
    parent, child = exact("exact_child", 0, "eager").episodes
    assert "copied at once" in parent.steps[2].text and brief(child)[0] == ("inherited", 0, 1)
    assert not [step for step in child.steps if "COPIED" in step.text]
    parent, child = exact("exact_child", 0, "shared-tables").episodes
    assert "with its leaf table" in parent.steps[2].text
    (copied,) = [step for step in child.steps if "COPIED" in step.text]
    assert "leaf table was shared, and copied first" in copied.text


def test_is_a_leaf_table_that_a_neighbours_fault_copies_reported() -> None:
    parent, child = exact("exact_child", 9, "shared-tables").episodes
    for episode, at in ((parent, 3), (child, 1)):
        step = episode.steps[at]
        assert step.text.startswith("pid 3 has its own copy of the leaf table, for its store to 0x")
        assert brief(episode)[at][1:] == (1, 2)


DONT_FORK = r"""
int main(void) {
    char *out = mmap((void *)0x5000000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *wiped = mmap((void *)0x6000000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    out[0] = wiped[0] = 1;
    madvise(out, 4096, MADV_DONTFORK);
    madvise(wiped, 4096, 18);
    if (!fork()) {
        mmap(out, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        wiped[0] = out[0] = 2;
        _exit(0);
    }
    wait(NULL);
    out[0] = wiped[0] = 3;
    return 0;
}
"""


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("page, reason", [(0x5000000, "left out"), (0x6000000, "kept back")])
def test_is_nothing_shared_that_a_fork_keeps_back(page: int, reason: str, policy: str) -> None:
    recording = RecordingOptions(pages={page})
    history = PageHistory(page)
    for each in record([compiled(DONT_FORK)], recording=recording, fork_policy=policy).records:
        history(each)
    parent, child = history.episodes
    assert [text for text in brief(parent) if text[1:] != (-1, -1)] == [
        ("zero-filled", 0, 1),
        ("exit,", 1, 0),
    ]
    assert parent.steps[2].text.startswith(reason) and " by fork of pid 3" in parent.steps[2].text
    first = child.steps[0].text
    assert first.startswith(
        "mapped rw-p" if reason == "left out" else "inherited from pid 2 without"
    )
    assert child.steps[1].text.startswith("first touched, store") and child.origin is parent
    assert brief(child)[1:] == [("zero-filled", 0, 1), ("exit,", 1, 0)]


EXECS = r"""
static const char far[8192] __attribute__((aligned(4096))) = {[4096] = '/', 'n', 'o'};
int main(int argc, char **argv) {
    char *words[] = {"x", "y", 0};
    if (argc == 1 && execve(far + 4096, words, words)) execv(argv[0], words);
    return 0;
}
"""


def test_is_what_execve_reads_of_the_old_image_attributed_to_it() -> None:
    first, second = page_history(compiled(EXECS), "far", 4096, fault_around=4096).episodes
    assert "by kernel, execve" in first.steps[1].text
    assert "[kernel]" not in first.steps[1].text
    assert first.steps[1].text.startswith("first")
    assert first.steps[-1].text.startswith("released: exec of") and len(second.steps) == 1


def test_is_a_signals_frame_the_kernels_store() -> None:
    (episode,) = page_history(compiled(HANDLES), "stack", 65536 - 4096).episodes
    assert "by kernel, for a signal at " in episode.steps[1].text


REMAPS = r"""
int main(void) {
    char *page = mmap((void *)0x5000000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = 1;
    mprotect(page, 4096, PROT_READ);
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    page[1] = 2;
    madvise(page, 4096, MADV_DONTNEED);
    if (page[1]) return 1;
    mremap(page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x6000000);
    munmap((void *)0x6000000, 4096);
    return 0;
}
"""


def test_are_the_calls_reported_that_changed_the_mapping_and_where_they_were_made() -> None:
    page = 0x5000000
    history = PageHistory(page)
    for each in record([compiled(REMAPS)], recording=RecordingOptions(pages={page})).records:
        history(each)
    (episode,) = history.episodes
    texts = [step.text for step in episode.steps]
    assert texts[0].startswith("mapped rw-p in 0x5000000-0x5001000 by mmap at ")
    assert texts[1].startswith("first touched, store") and texts[1].endswith("zero-filled")
    assert texts[2].startswith("rights now r--p, were rw-p by mprotect at ")
    assert texts[3].startswith("rights now rw-p, were r--p by mprotect at ")
    assert texts[4].startswith("released by madvise at ")
    assert texts[5].endswith("zero page mapped")
    assert texts[6].startswith("moved to 0x6000000 by mremap at ")
    flags = [step.after.flags for step in episode.steps if step.after is not None]
    assert flags == ["RW-U-AD", "R--U-AD", "RW-U-AD", "", "R--U-A- CoW", ""]
    moved = PageHistory(0x6000000)
    for each in record([compiled(REMAPS)], recording=RecordingOptions(pages={0x6000000})).records:
        moved(each)
    texts = [step.text for step in moved.episodes[0].steps]
    assert any(text.startswith("moved here from 0x5000000 by mremap") for text in texts)
    assert any(text.startswith("unmapped by munmap") for text in texts)


def test_is_an_exec_the_end_of_one_episode_and_the_start_of_another() -> None:
    episodes = page_history(built(BY_NAME["fork_exec"], "static"), "main").episodes
    again = [episode for episode in episodes if episode.origin is None]
    assert len(again) > 1 and all("by exec of" in episode.steps[0].text for episode in again)
    assert any("released: exec of" in step.text for step in episodes[1].steps)


def test_does_a_memory_end_with_the_last_who_has_it() -> None:
    def fault(seq: int, pid: int) -> records.Fault:
        return records.Fault(
            seq=seq, time=seq, pid=pid, tid=pid, place=SourceLocation(0), access="store", cause=15,
            stval=0x5000, outcome="zero_filled", pte_after=1, frame_after=7, count_after=1,
        )  # fmt: skip

    borrowed = records.Fork(seq=1, time=1, pid=2, tid=2, child=3, shares_memory=True)
    ends = [records.Exit(seq=pid + 1, time=pid, pid=pid, status=0) for pid in (2, 3)]
    (episode,) = history_of(mapped(2, (0x5000, 0x6000, "")), borrowed, fault(2, 2), *ends).episodes
    assert [step.text for step in episode.steps[-2:]] == [
        "left to other users: exit, status 0",
        "released: exit, status 0",
    ]
    assert episode.steps[-2].after is None and episode.state.pte == 0


# Text, and names.


def history_of(*trace: records.AnyRecord) -> PageHistory:
    found = PageHistory(0x5000)
    for each in trace:
        found(each)
    return found


def mapped(pid: int, *ranges: tuple[int, int, str]) -> records.Exec:
    maps = [Range(start, end, "rw-p", name) for start, end, name in ranges]
    return records.Exec(seq=0, time=0, pid=pid, path="/bin/x", entry=0, root=0, maps=maps)


def test_is_a_page_that_was_never_mapped_reported_with_its_neighbours() -> None:
    lines = page_history_text(
        history_of(mapped(2, (0x1000, 0x2000, "a"), (0x9000, 0xA000, "b"))), "counter"
    )
    assert lines.splitlines() == [
        "page 0x5000: counter",
        "it was never mapped",
        "nearest mapping below: 0x1000-0x2000 rw-p a",
        "nearest mapping above: 0x9000-0xa000 rw-p b",
    ]


def test_is_one_process_reported_with_what_it_inherited() -> None:
    def fork(seq: int, child: int) -> records.Fork:
        return records.Fork(
            seq=seq, time=0, pid=2, tid=2, child=child, place=SourceLocation(8, "f")
        )

    found = history_of(mapped(2, (0x5000, 0x6000, "a")), fork(1, 3), fork(2, 4))
    text = page_history_text(found, "", 3)
    assert "fork of pid 3" in text and "inherited from pid 2" in text and "pid 4" not in text
    assert "pid 3, child" not in page_history_text(found, "", 2)
    assert "pid 9 never had it; pid 2, pid 3, pid 4 had" in page_history_text(found, "", 9)
    assert len(json.loads(page_history_json(found, "", 3))["processes"]) == 2


def test_is_the_text_at_most_80_columns_and_not_endless() -> None:
    trace: list[records.AnyRecord] = [mapped(2, (0x5000, 0x6000, "/" + "d" * 40 + "/" + "e" * 90))]
    for child in range(3, 203):
        place = SourceLocation(1, function="f" * 100, file="/a/" + "b" * 80, line=12)
        trace.append(
            records.Fork(seq=child, time=10**12, pid=child - 1, tid=2, child=child, place=place)
        )
        trace.append(
            records.Fork(seq=child, time=10**12, pid=2, tid=2, child=child + 1000, place=place)
        )
    text = page_history_text(history_of(*trace), "x" * 200)
    assert max(map(len, text.splitlines())) <= 80
    assert "more steps" in text


@pytest.mark.parametrize("variant", ["static", "musl", "dynamic"])
def test_is_a_symbol_found_wherever_the_program_was_loaded(variant: str) -> None:
    program = built(BY_NAME["demo_cow"], variant)
    run = record([program], recording=RecordingOptions(samples=False))
    image = next(each for each in run.records if isinstance(each, records.Exec))
    target = Target("pages+0x1000")
    address = target.locate(image, program.read_bytes())
    stores = [each for each in run.records if isinstance(each, records.Fault) and each.place.line]
    by_write_page = [each.stval for each in stores if each.place.function == "write_page"]
    assert by_write_page[0] == address and target.size == 8 * 4096
    loaded_low = bias(image, ElfFile(program.read_bytes())) == 0
    assert loaded_low == (variant == "static")


@pytest.mark.parametrize("text", ["", "0x", "0x1ffffffffffffffff"])
def test_is_what_names_nothing_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        Target(text).locate(mapped(2), b"")


def test_are_addresses_and_offsets_read() -> None:
    image = mapped(2)
    assert Target("0x7b000").locate(image, b"") == 0x7B000
    assert Target("123").locate(image, b"") == 123
    assert (Target("a+0x10").symbol, Target("a+0x10").address) == ("a", 16)


def huge_history(page: int, **options: Any) -> PageHistory:
    history = PageHistory(page)
    for each in huge_run(RecordingOptions(pages={page}, backtraces=4), **options).records:
        history(each)
    return history


def texts(episode: Episode) -> list[str]:
    """The steps without their places."""
    return [re.sub(r" (at|by) \S+\.c:\d+ \w+( \(\w+\))?", "", s.text) for s in episode.steps]


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
def test_what_becomes_of_a_page_that_other_pages_faults_map(policy: str) -> None:
    parent, child = huge_history(FIRST + 8 * PAGE, fork_policy=policy).episodes
    store = f"the store to {FIRST + 5 * PAGE:#x}"
    assert texts(parent)[1:] == [
        f"part of a huge page, for {store}: zero-filled",
        "shared, with its huge page, by fork of pid 3",
        "pid 3 ended",
        f"part of a huge page, for the store to {FIRST + 6 * PAGE:#x}: REUSED",
        "its huge page was split by munmap",
        "released: exit, status 0",
    ]
    assert texts(child) == [
        "inherited from pid 2",
        f"its huge page was split, for the store to {FIRST + 7 * PAGE:#x}",
        "released: exit, status 0",
    ]
    first = parent.steps[1].after
    assert first is not None and (first.frame % 512, first.holders) == (8, 1)
    counts = [
        (step.before.holders, step.after.holders)
        for step in parent.steps
        if step.before and step.after
    ]
    assert counts == [(0, 1), (1, 2), (2, 1), (1, 1), (1, 0)]


def test_is_it_copied_whole_for_a_store_to_another() -> None:
    parent, child = huge_history(FIRST + 8 * PAGE, thp_cow="huge").episodes
    assert texts(child)[1] == f"part of a huge page, for the store to {FIRST + 7 * PAGE:#x}: COPIED"
    copy = child.steps[1]
    assert copy.before is not None and copy.after is not None
    assert (copy.before.holders, copy.after.holders) == (2, 1)
    assert copy.before.frame != copy.after.frame and copy.after.frame % 512 == 8
    assert "pid 3 has a copy of its own" in texts(parent)


def test_are_its_own_faults_huge_or_split_first() -> None:
    parent, child = huge_history(FIRST + 7 * PAGE).episodes
    own = f"store to {FIRST + 7 * PAGE:#x}: COPIED; its huge page was split first"
    assert texts(child)[1] == own
    zeroed = huge_history(ZEROES + PAGE).episodes[1]
    assert texts(zeroed)[1].endswith(": zero-filled, as a huge page of 2 MiB")
    assert "pid 3 has a copy of its own" in texts(parent)


def test_who_collapses_it_and_who_splits_it() -> None:
    (parent, _) = huge_history(COLLAPSED + PAGE).episodes
    (collapse,) = [step for step in parent.steps if "collapsed" in step.text]
    assert collapse.text.startswith("collapsed to a huge page by madvise at ")
    assert collapse.before is not None and collapse.after is not None
    assert collapse.before.frame != collapse.after.frame and collapse.after.frame % 512 == 1
    assert not any("released by" in text for text in texts(parent))
    (parent, _) = huge_history(SECOND + 9 * PAGE).episodes
    assert "its huge page was split by mprotect" in texts(parent)


def test_is_a_page_of_the_collapsed_range_there_that_was_not_before() -> None:
    (parent, _) = huge_history(COLLAPSED + 300 * PAGE).episodes
    assert texts(parent)[-2:] == ["collapsed to a huge page by madvise", "released: exit, status 0"]
    after = parent.steps[-2].after
    assert after is not None and (after.frame % 512, after.holders) == (300, 1)


@pytest.mark.parametrize("pte", [0, (1 << 64) - 1])
@pytest.mark.parametrize("page", [FIRST, FIRST + 511 * PAGE])
def test_is_any_pte_of_a_huge_page_in_a_trace_accepted(page: int, pte: int) -> None:
    history = PageHistory(page)
    for each in huge_run().records:
        if isinstance(each, records.Fault) and each.huge:
            each.pte_before = each.pte_after = pte
        history(each)
    assert json.loads(page_history_json(history, ""))["mapped"] is True
    assert page_history_text(history, "")


def test_which_part_of_a_huge_page_does_a_call_split() -> None:
    calls = {
        "madvise(at + 5 * PAGE, PAGE, MADV_DONTNEED)": "madvise",
        "madvise(at + 5 * PAGE, PAGE, MADV_DONTFORK)": "madvise",
        "mprotect(at, 9 * PAGE, PROT_NONE)": "mprotect",
        "mmap(at + PAGE, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)": "mmap",
        "mremap(at, HUGE, HUGE / 2, 0)": "mremap",
    }
    for code, name in calls.items():
        source = SOURCE.partition("if (!fork())")[0] + f"{code}; return 0; }}"
        run = record([compiled(source)])
        found = [each for each in run.records if isinstance(each, records.PageSize)]
        assert [(each.address, each.huge, each.call) for each in found] == [(FIRST, False, name)]

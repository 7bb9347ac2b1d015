"""Does the page's replay of a run agree with the kernel's counts at each step?

The kernel counts: pages shared at a fork, users of a frame at a store. The replay must compute the
same numbers by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emu.observe.model.records import AnyRecord, Range
from emu.observe.report.page import page
from kernel.mm.forking.fork import POLICIES
from kernel.process.observer import Fault, Observer
from tests.emu.observe.report.browser import Browser, Page
from tests.emu.observe.report.traces import HEAP, SyntheticRun, built, demo, guest, recorded
from tests.emu.observe.support.huge_guest import FIRST, MOVES, huge_run
from tests.emu.observe.support.recorded import record
from tests.kernel.syscalls.guests import compiled

AT_FORKS = r"""
(() => {
  const wrong = [];
  for (const step of app.model.forkSteps) {
    const [, , , child, borrowed, shared, , copied] = app.model.stepRow(step);
    if (borrowed) continue;
    const replay = app.history.seek(step + 1);
    const pages = replay.census(replay.space(child)).reduce((sum, n) => sum + n, 0);
    if (pages !== shared + copied) wrong.push([step, pages, shared, copied]);
  }
  return wrong;
})()
"""
AT_FAULTS = r"""
(() => {
  const wrong = [];
  const {faults, strings} = app.model;
  for (let fault = 0; fault < app.model.faultCount; fault++) {
    const outcome = strings[faults.outcome[fault]];
    if (outcome !== "copied" && outcome !== "reused") continue;
    const replay = app.history.seek(faults.step[fault]);
    const space = replay.space(faults.space[fault]);
    const page = pageOf(faults.stval[fault]);
    const state = replay.state(space, page);
    const expected = state === TABLE || (outcome === "copied" ? state === SHARED : state === ALONE);
    if (!expected) wrong.push([fault, outcome, STATES[state].name]);
  }
  return wrong;
})()
"""
AT_THE_END = r"""
(() => {
  const replay = app.history.seek(app.model.stepCount);
  return [replay.spaces.size, replay.frames.reduce((sum, n) => sum + n, 0)];
})()
"""


def opened(browser: Browser, trace: list[AnyRecord], folder: Path) -> Page:
    file = folder / "report.html"
    file.write_bytes(b"".join(page(built(trace).data())))
    return browser.open(file)


RUNS = [
    ("demo_cow", "cow"),
    ("demo_cow", "eager"),
    ("demo_cow", "shared-tables"),
    ("fork_tree", "cow"),
    ("fork_tree", "shared-tables"),
    ("fork_chain", "cow"),
    ("fork_exec", "cow"),
    ("fork_storm", "shared-tables"),
    ("vfork", "cow"),
    ("second_write", "cow"),
    ("sole_owner", "cow"),
    ("kernel_writes", "cow"),
    ("mremap", "cow"),
    ("madvise", "cow"),
    ("fork_advice", "cow"),
    ("fork_advice", "eager"),
    ("fork_advice", "shared-tables"),
]


@pytest.mark.parametrize(("name", "policy"), RUNS)
def test_the_replay_comes_to_the_kernels_counts(
    browser: Browser, tmp_path: Path, name: str, policy: str
) -> None:
    shown = opened(browser, recorded(guest(name), fork_policy=policy), tmp_path)
    assert shown.value(AT_FORKS) == []
    assert shown.value(AT_FAULTS) == []
    spaces, users = shown.value(AT_THE_END)
    assert (spaces, users) == (0, 0)
    shown.close()


class _HugePages(Observer):
    """The huge pages of a fault's space after it, by their number."""

    def __init__(self) -> None:
        self.after: list[list[int]] = []

    def fault(self, event: Fault) -> None:
        self.after.append(sorted(event.space.table.huge))


HUGE_AFTER_FAULTS = r"""
app.model.faults.step.map((step, fault) => {
  const space = app.history.seek(step + 1).space(app.model.faults.space[fault]);
  const huge = [...space.chunks.keys()].filter((key) => app.replay.isHuge(space, key));
  return huge.sort((a, b) => a - b);
})
"""


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("cow", ["page", "huge"])
def test_are_huge_pages_replayed_as_the_kernel_has_them(
    browser: Browser, tmp_path: Path, cow: str, policy: str
) -> None:
    kernels = _HugePages()
    run = huge_run(fork_policy=policy, thp_cow=cow, observers=[kernels])
    shown = opened(browser, run.records, tmp_path)
    assert shown.value(AT_FORKS) == []
    assert shown.value(AT_FAULTS) == []
    assert shown.value(HUGE_AFTER_FAULTS) == kernels.after
    assert max(map(len, kernels.after)) == 3
    assert shown.value(AT_THE_END) == [0, 0]
    shown.close()


def test_are_moved_huge_pages_where_the_kernel_has_them(browser: Browser, tmp_path: Path) -> None:
    kernels = _HugePages()
    run = record([compiled(MOVES)], observers=[kernels])
    shown = opened(browser, run.records, tmp_path)
    assert shown.value(HUGE_AFTER_FAULTS) == kernels.after
    assert shown.value(AT_THE_END) == [0, 0]
    shown.close()


def test_going_back_is_the_same_as_going_forth(browser: Browser, tmp_path: Path) -> None:
    shown = opened(browser, recorded(guest("fork_tree")), tmp_path)
    script = """
    (() => {
      const all = (moment) => {
        const replay = app.history.seek(moment);
        return JSON.stringify([...replay.spaces].sort((a, b) => a[0] - b[0])
          .map(([number, space]) => [number, replay.census(space), space.ranges.length]));
      };
      app.history.every = 50;
      const moments = Array.from({length: app.model.stepCount + 1}, (_, at) => at);
      const forth = moments.map(all);
      const back = [...moments].reverse().map(all).reverse();
      const leaps = moments.map((at) => all((at * 137) % moments.length));
      return forth.every((state, at) => state === back[at])
        && leaps.every((state, at) => state === forth[(at * 137) % moments.length]);
    })()
    """
    assert shown.value(script) is True
    shown.close()


def states(shown: Page, process: int, first: int, count: int) -> str:
    """Letters of the pages of the heap in the current map."""
    start = HEAP // 4096 + first
    letters: str = shown.value(
        f"Array.from({{length: {count}}}, (_, at) => app.replay.state("
        f"app.replay.space(spaceAt({process})), {start} + at))"
        ".map((state) => STATES[state].letter || '-').join('')"
    )
    return letters


def test_what_becomes_of_pages_one_by_one(browser: Browser, tmp_path: Path) -> None:
    run = SyntheticRun()
    run.exec(2, 8)
    frames = [run.fault(2, page, "zero_filled") for page in range(3)]
    run.fork(2, 3, 3)
    run.fault(3, 0, "copied", frames[0])
    run.fault(2, 0, "reused", frames[0])
    run.unmap(3, HEAP + 4096, HEAP + 8192)
    run.exit(3)
    shown = opened(browser, run.end(), tmp_path)
    shown_states = []
    for moment in range(3, shown.value("app.model.stepCount") + 1):
        shown.value(f"app.goTo({moment}), 1")
        alive = shown.value("spaceAt(1) !== undefined")
        shown_states.append((states(shown, 0, 0, 4), states(shown, 1, 0, 4) if alive else ""))
    assert shown_states == [
        ("PP--", ""),
        ("PPP-", ""),
        ("SSS-", "SSS-"),
        ("ASS-", "CSS-"),
        ("PSS-", "CSS-"),
        ("PAS-", "C-S-"),
        ("PAA-", ""),
    ]
    shown.close()


@pytest.mark.parametrize("policy", ["cow", "eager", "shared-tables"])
def test_a_child_lacks_what_a_fork_keeps_back(
    browser: Browser, tmp_path: Path, policy: str
) -> None:
    run = SyntheticRun(policy=policy)
    run.exec(2, 600)
    for number in (*range(5), 590):
        run.fault(2, number, "zero_filled")
    ranges = [Range(HEAP + 4096 * at, HEAP + 4096 * (at + 1), "rw-p", "[heap]") for at in (1, 3)]
    run.fork(2, 3, 4, left_out=ranges[:1], wiped=ranges[1:])
    shown = opened(browser, run.end(), tmp_path)
    shown.value("app.goTo(app.model.stepCount), 1")
    parent, child = ("PPPPP", "P-P-P") if policy == "eager" else ("SPSPS", "S-S-S")
    assert (states(shown, 0, 0, 5), states(shown, 1, 0, 5)) == (parent, child)
    far = {"cow": "S", "eager": "P", "shared-tables": "T"}[policy]
    assert states(shown, 0, 590, 1) == states(shown, 1, 590, 1) == far
    within = f"start <= {ranges[0].start} && {ranges[0].start} < end"
    script = (
        "[0, 1].map((at) => app.replay.space(spaceAt(at)).ranges"
        f".some(({{start, end}}) => {within}))"
    )
    assert shown.value(script) == [True, False]
    shown.close()


def test_each_fault_is_read_back_as_it_was_written(browser: Browser, tmp_path: Path) -> None:
    trace = list(demo())
    faults: list[Any] = [record for record in trace if hasattr(record, "stval")]
    shown = opened(browser, trace, tmp_path)
    read = shown.value(
        "app.model.faults.step.map((_, n) => app.model.fault(n)).map((f) => [f.seq, f.time, "
        "f.process.pid, f.address, f.outcome, f.access, f.call, f.instruction, f.before, f.after, "
        "f.walk.map((e) => [e.level, e.address, e.pte]), f.stack.map((p) => p.function), "
        "f.sharers.map((s) => [s.pid, s.address]), f.walk.map((e) => pteFlags(e.pte)), f.host])"
    )
    for fault, found in zip(faults, read, strict=True):
        assert found == [
            *(fault.seq, fault.time, fault.pid, fault.stval, fault.outcome, fault.access),
            *(fault.call, fault.instruction, fault.pte_before, fault.pte_after),
            [[entry.level, entry.address, entry.pte] for entry in fault.walk],
            [place.function for place in fault.backtrace],
            [[sharer.pid, sharer.address] for sharer in fault.sharers],
            [entry.flags for entry in fault.walk],
            fault.host_ns,
        ]
    shown.close()


def test_do_a_faults_details_name_the_huge_page(browser: Browser, tmp_path: Path) -> None:
    shown = opened(browser, huge_run(thp_cow="huge").records, tmp_path)
    opens = (
        "app.open(app.model.faults.huge.findIndex((huge, at) => huge && outcome(at) === '{}')), 1"
    )
    shown.value("globalThis.outcome = (at) => app.model.strings[app.model.faults.outcome[at]], 1")
    shown.value(opens.format("copied"))
    body = shown.value("byId('fault-body').innerText")
    first = f"0x{FIRST:x}"
    assert f"huge page, 2 MiB: 512 pages from {first} on" in body.replace("'", "")
    assert "3 of 2,097,152 by the time it was discarded" in body
    assert "level 1 (leaf of 2 MiB)" in body and "level 0" not in body
    shown.value(opens.format("zero_filled"))
    assert "level 1 (leaf" not in shown.value("byId('fault-body').innerText")
    page = FIRST // 4096 + 300
    faults = shown.value(f"faultsOfPage(spaceAt(0), {page}).length")
    assert faults == 2, "the first touch and the reuse, on other pages of it"
    assert ", in a huge page; " in shown.value(
        f"app.goTo(app.model.faults.step[faultsOfPage(spaceAt(0), {page})[0]] + 1), "
        f"SpaceMap.panes[0].look(), SpaceMap.panes[0].paint(), SpaceMap.panes[0].describe({page})"
    )
    shown.close()


def test_do_a_splits_details_say_so(browser: Browser, tmp_path: Path) -> None:
    shown = opened(browser, huge_run().records, tmp_path)
    shown.value("app.open(app.model.faults.split.indexOf(1)), 1")
    body = shown.value("byId('fault-body').innerText")
    assert "the huge page was split first" in body and "level 1 (leaf of 2 MiB)" in body
    steps = shown.value("app.model.steps.kind.map((_, step) => stepText(step))")
    assert sum("huge page split at " in step for step in steps) == 2
    assert sum("pages became a huge page at " in step for step in steps) == 1
    shown.close()

"""Are the counts of the summary consistent?"""

import json

from emu.observe.formats.summary import summary_text
from kernel.mm.outcome import Outcome
from tests.emu.commands import machine
from tests.emu.observe.support.huge_guest import huge_run
from tests.kernel.syscalls.guests import compiled

FORKS = r"""
static char data[10 * 4096] __attribute__((aligned(4096)));
int main(void) {
    memset(data, 1, sizeof data);
    for (int i = 0; i < 3; i++)
        if (!fork()) { data[i * 4096] = 2; _exit(0); }
    while (wait(NULL) > 0);
    return 0;
}
"""


def test_the_counts_belong_together() -> None:
    summary = machine().run([compiled(FORKS)]).summary
    faults = summary["faults"]
    assert set(faults) == {str(outcome) for outcome in Outcome}
    assert (summary["processes"], summary["forks"]) == (4, 3)
    assert faults["copied"] == summary["frames_copied"] > 0
    assert faults["reused"] == summary["frames_reused"]
    assert summary["eager_frames_copied"] > 3 * 10 > summary["frames_copied"]
    assert summary["frames_leaked"] == 0 < summary["frames_peak"]
    assert json.loads(json.dumps(summary)) == summary


def test_eager_copies_what_it_says_it_would() -> None:
    cow_summary = machine(deterministic=True).run([compiled(FORKS)]).summary
    done = machine(deterministic=True, fork_policy="eager").run([compiled(FORKS)]).summary
    assert (
        done["frames_copied"] == done["eager_frames_copied"] == cow_summary["eager_frames_copied"]
    )
    assert done["faults"]["copied"] == done["faults"]["reused"] == 0
    assert done["frames_peak"] > cow_summary["frames_peak"]


def test_the_text_has_what_a_reader_looks_for() -> None:
    summary = machine().run([compiled(FORKS)]).summary
    text = summary_text(summary)
    assert "forks 3" in text and "peak frames" in text and "copy-on-write saved" in text
    assert "leaked" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "leaked" in summary_text({**summary, "frames_leaked": 2})
    big = {
        key: value * 10**6 if isinstance(value, int) else value for key, value in summary.items()
    }
    assert max(map(len, summary_text(big).splitlines())) <= 80


def test_a_run_without_forks_promises_nothing() -> None:
    text = summary_text(machine().run([compiled("return 0;")]).summary)
    assert "saved" not in text


def test_are_huge_pages_counted_and_named_only_where_there_are_some() -> None:
    summary = huge_run().summary
    assert [summary[f"huge_{what}"] for what in ("mapped", "split", "collapsed")] == [3, 3, 1]
    (line,) = [line for line in summary_text(summary).splitlines() if "huge" in line]
    words = line.split(maxsplit=3)
    assert words == ["huge", "pages", "3", "of 2 MiB, by page faults; 1 collapsed, 3 split"]
    none = machine(thp="never").run([compiled(FORKS)]).summary
    assert "huge" not in summary_text(none) and none["huge_mapped"] == 0

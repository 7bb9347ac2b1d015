"""Does a comparison report where outputs differ, within 80 columns?"""

from __future__ import annotations

import json

from emu.observe.analysis.policy_comparison import (
    OF_PAGE_SIZES,
    OF_POLICIES,
    PolicyRun,
    comparison_json,
    comparison_text,
    differences,
)
from kernel.mm.outcome import Outcome


def run(policy: str, stdout: bytes = b"", stderr: bytes = b"", status: int = 0) -> PolicyRun:
    names = ("frames_copied", "frames_reused", "ptes_written", "tables_made", "tables_shared")
    others = ("tables_copied", "frames_peak", "huge_mapped", "huge_split", "huge_collapse_copies")
    all_names = (*names, *others, "frames_copied_at_forks")
    counts: dict[str, object] = dict.fromkeys(all_names, 10**9)
    faults = {str(outcome): 10**8 for outcome in Outcome}
    return PolicyRun(policy, status, stdout, stderr, {**counts, "faults": faults}, 123456.789)


def test_is_nothing_reported_for_runs_that_agree() -> None:
    runs = [run("cow", b"a"), run("eager", b"a"), run("shared-tables", b"a")]
    assert differences(runs) == []
    for rows in (OF_POLICIES, OF_PAGE_SIZES):
        text = comparison_text(runs, rows)
        assert text.splitlines()[-1] == "identical: 1 bytes of stdout, 0 of stderr, exit status 0"
        assert max(map(len, text.splitlines())) <= 80


def test_is_the_first_line_shown_that_differs() -> None:
    assert differences([run("cow", b"a\nbc\n"), run("eager", b"a\nbd\n")]) == [
        "stdout differs in line 2 (byte 3): 'bc\\n' under cow, 'bd\\n' under eager"
    ]
    assert differences([run("cow", b"a\n"), run("eager", b"a\nb")]) == [
        "stdout differs in line 2 (byte 2): nothing under cow, 'b' under eager"
    ]
    assert differences([run("cow", b"", b"x"), run("eager", b"", b"")]) == [
        "stderr differs in line 1 (byte 0): 'x' under cow, nothing under eager"
    ]
    assert differences([run("cow", b"ab"), run("eager", b"a")]) == [
        "stdout differs in line 1 (byte 1): 'ab' under cow, 'a' under eager"
    ]


def test_is_a_long_line_cut_around_the_difference() -> None:
    (report,) = differences([run("cow", b"x" * 999 + b"\xff"), run("eager", b"x" * 1000)])
    assert "(byte 999)" in report and "…'xxxxxxxxxxxx\\\\xff' under cow" in report
    assert len(report) < 120


def test_are_status_and_output_distinguished() -> None:
    report = differences([run("cow"), run("eager", status=1), run("shared-tables", b"x")])
    assert report[0] == "the exit status is 0 under cow and 1 under eager"
    assert report[1].startswith("stdout differs") and len(report) == 2


def test_is_the_json_the_whole() -> None:
    report = json.loads(comparison_json([run("cow"), run("eager", b"x")]))
    assert report["identical"] is False and len(report["differences"]) == 1
    assert [each["policy"] for each in report["runs"]] == ["cow", "eager"]

"""Can a student's text do harm to a report?"""

from __future__ import annotations

from emu.lab.text.sanitize import sanitize, sanitize_lines


def test_what_a_student_writes_stays_on_its_line_and_moves_no_cursor() -> None:
    assert sanitize("a\nok  fork-shares\x1b[2J\u202e\r") == r"a\nok  fork-shares\x1b[2J\u202e\x0d"


def test_long_text_is_cut() -> None:
    assert len(sanitize("x" * 10_000)) == 300
    lines = sanitize_lines(["one\ntwo"] * 1000)
    assert lines[:2] == ["one", "two"]
    assert (len(lines), lines[-1]) == (41, "… 1960 more lines")

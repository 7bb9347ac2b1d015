"""Does the check of the page's script report what is wrong, with file and line?"""

from __future__ import annotations

from tests.emu.observe.report.script_check import Line, findings, page_script

ERRORS = [
    ("app.model.fault(0).adress;", "TS2551"),
    ("byId('moment').value = 7;", "TS2322"),
    ("app.model.parentOf(app.model.processes[0]).pid;", "TS2532"),
    ("new Zoom(1);", "TS2554"),
    ("app.goTo(((value) => value)(app.moment));", ""),
    ("const untyped = (value) => value;", "TS7006"),
    ("untyped(undeclared);", "TS2304"),
    ("function unused() {}", "no-unused-vars"),
]
"""Statements, each with the rule that it breaks, if any."""


def findings_with(*texts: str) -> list[str]:
    """Findings of the page's script with further lines at its end, in ``more.js``."""
    more = [Line(text, "more.js", number) for number, text in enumerate(texts, 1)]
    return findings([*page_script(), *more])


def test_an_error_is_reported_with_its_line() -> None:
    found = findings_with(*(text for text, _ in ERRORS))
    rules = [(number, rule) for number, (_, rule) in enumerate(ERRORS, 1) if rule]
    assert [line.split()[:2] for line in found] == [[f"more.js:{n}:", rule] for n, rule in rules]


def test_a_syntax_error_is_reported() -> None:
    assert any("Expected" in line for line in findings_with("const = 1;"))

"""Is the page complete, and free of markup that a guest could inject?"""

from __future__ import annotations

import base64
import json
import re
import zlib
from importlib.resources import files
from pathlib import Path

from emu.observe.model.outcomes import COPIES
from emu.observe.model.records import SourceLocation
from emu.observe.report.page import SCRIPTS, STYLES, page
from kernel.mm.outcome import FAILURES, Outcome
from tests.emu.observe.report.traces import SyntheticRun, built

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def evil_run() -> SyntheticRun:
    run = SyntheticRun([EVIL, EVIL])
    run.exec(2, 8, EVIL)
    place = SourceLocation(0x10004, EVIL, 4, EVIL, 7, EVIL)
    frame = run.fault(2, 1, "zero_filled", place=place)
    run.fork(2, 3, 1)
    run.fault(3, 1, "copied", frame, place)
    run.end()
    return run


def text() -> str:
    return b"".join(page(built(evil_run().trace).data())).decode()


def test_no_text_of_the_guest_is_markup() -> None:
    assert "alert" not in text() and "onerror" not in text()
    assert text().count("<script") == text().count("</script>") == 2


def test_the_data_has_every_word_of_it() -> None:
    found = re.search(r'id="data">([A-Za-z0-9+/=]+)</script>', text())
    assert found is not None
    data = json.loads(zlib.decompress(base64.b64decode(found[1])))
    assert data["about"]["command"] == [EVIL, EVIL]
    assert EVIL in data["strings"]


def test_the_page_asks_for_nothing() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text())
    assert policy is not None
    assert policy[1].split("; ") == [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "script-src 'unsafe-inline'",
        "img-src data:",
    ]
    outside = set(re.findall(r"https?://[^\s\"']+", text()))
    assert outside == {"http://www.w3.org/2000/svg"}  # a name, not an address


def test_data_never_becomes_markup_in_the_scripts() -> None:
    folder = files("emu.observe.report") / "page"
    for name in SCRIPTS:
        script = (folder / f"{name}.js").read_text("utf-8")
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in script, f"{way} in {name}.js"
        assert len(script.splitlines()) < 300
        assert max(map(len, script.splitlines())) <= 110


def test_every_part_is_used() -> None:
    folder = files("emu.observe.report") / "page"
    names = {f"{name}.js" for name in SCRIPTS} | {f"{name}.css" for name in STYLES}
    top = Path(str(folder))
    there = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
    assert there == names | {"page.html"}


def test_has_every_outcome_that_maps_a_page_a_kind_of_page() -> None:
    script = files("emu.observe.report").joinpath("page", "model", "meanings.js").read_text()
    table = script.split("const KIND_AFTER = {")[1].split("\n};")[0]
    kinds = dict(re.findall(r"^  (\w+): (\w+),$", table, re.MULTILINE))
    assert set(kinds) == set(Outcome) - FAILURES - {Outcome.SPURIOUS}
    assert {each: kinds[each] for each in COPIES} == {
        "copied": "COPIED",
        "file_copied": "FILE_COPY",
    }


def test_has_every_outcome_a_letter_and_a_colour() -> None:
    script = files("emu.observe.report").joinpath("page", "model", "meanings.js").read_text()
    table = script.split("const OUTCOMES = {")[1].split("\n};")[0]
    looks = re.findall(r"^  (\w+): \{letter: \"(.)\", colour: \"\w+\"\},$", table, re.MULTILINE)
    assert sorted(name for name, _ in looks) == sorted(map(str, Outcome))
    shown = built(evil_run().trace).data()["outcomes"]
    assert [(name, texts["text"]) for name, texts in shown.items()] == [
        (each.value, each.meaning) for each in Outcome
    ]

"""Can a reader use the report: by keyboard, in light and dark, narrow, wide, when it is large?"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from emu.machine.pte import A, D, G, R, U, V, W, X, make_pte
from emu.observe.model.records import AnyRecord, Exec, Fault, Fork, SourceLocation
from emu.observe.report.host_files import HostFiles
from emu.observe.report.page import page
from kernel.mm.page_tables.page_table import COW
from kernel.mm.page_tables.pte_text import pte_text
from tests.emu.observe.report.browser import Browser, Page
from tests.emu.observe.report.test_page import EVIL, evil_run
from tests.emu.observe.report.traces import SyntheticRun, built, demo, guest, large

SOURCES = Path(__file__).parents[4] / "guest"


def written(folder: Path, trace: list[AnyRecord] | tuple[AnyRecord, ...]) -> Path:
    file = folder / "report.html"
    files = HostFiles([SOURCES, guest("demo_cow").parent])
    file.write_bytes(b"".join(page(built(trace, files).data())))
    return file


@cache
def large_page() -> bytes:
    return b"".join(page(built(large()).data()))


@pytest.fixture
def demo_page(browser: Browser, tmp_path: Path) -> Page:
    return browser.open(written(tmp_path, demo()))


def faults() -> list[Fault]:
    """Faults of the demo's run."""
    return [each for each in demo() if isinstance(each, Fault)]


def faults_of_write_page() -> list[Fault]:
    return [each for each in faults() if each.place.function == "write_page"]


def steps() -> int:
    """Number of the demo's events, as a report counts them."""
    return len(built(demo()).data()["steps"]["kind"])


def first_page() -> int:
    """The demo's lowest page, as the linker placed it."""
    return min(each.start for record in demo() if isinstance(record, Exec) for each in record.maps)


def text_of(shown: Page, name: str) -> str:
    text: str = shown.value(f"byId('{name}').innerText")
    return text


def pixels(shown: Page, canvas: str) -> str:
    shown.wait_for_drawing()
    picture: str = shown.value(f"byId('{canvas}').toDataURL()")
    return picture


def focus(shown: Page, name: str) -> None:
    shown.value(f"byId('{name}').focus(), 1")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 1024, 800])
def test_it_loads_without_a_word_to_the_console(
    browser: Browser, tmp_path: Path, dark: bool, width: int
) -> None:
    shown = browser.open(written(tmp_path, demo()), width, 800, dark=dark)
    assert shown.problems == []
    assert shown.value("document.documentElement.scrollWidth <= innerWidth")
    assert f"{len(faults())} page faults" in text_of(shown, "totals").replace("\n", " ")
    assert len(pixels(shown, "map-canvas-0")) > 2000
    assert len(pixels(shown, "timeline-canvas")) > 2000
    shown.close()


def empty() -> list[AnyRecord]:
    return SyntheticRun().trace


def without_forks() -> list[AnyRecord]:
    run = SyntheticRun()
    run.exec(2, 4)
    run.fault(2, 1, "zero_filled")
    return run.end()


def of_one_child() -> list[AnyRecord]:
    run = SyntheticRun()
    run.fault(9, 1, "copied", 0x80200)
    run.exit(9)
    return run.trace


@pytest.mark.parametrize("make", [empty, without_forks, of_one_child])
def test_a_run_with_little_to_report_is_shown_too(
    browser: Browser, tmp_path: Path, make: object
) -> None:
    assert callable(make)
    shown = browser.open(written(tmp_path, make()))
    for name in ("fork-next", "fork-before", "step-next", "step-previous", "fault-next"):
        shown.value(f"byId('{name}').click(), 1")
    shown.wait_for_drawing()
    assert shown.problems == []
    shown.close()


def test_a_trace_that_was_cut_off_says_so(browser: Browser, tmp_path: Path) -> None:
    shown = browser.open(written(tmp_path, demo()[:40]))
    assert "ends before the run" in text_of(shown, "notes")
    shown.close()


def test_the_scrubber_moves_by_keyboard_and_the_map_with_it(demo_page: Page) -> None:
    focus(demo_page, "moment")
    demo_page.press("Home")
    first = pixels(demo_page, "map-canvas-0")
    demo_page.press("ArrowRight", 10)
    assert demo_page.value("app.moment") == 10
    assert f"10 of {steps()} " in text_of(demo_page, "moment-text")
    second = pixels(demo_page, "map-canvas-0")
    demo_page.press("ArrowRight", 20)
    assert len({first, second, pixels(demo_page, "map-canvas-0")}) == 3
    assert demo_page.problems == []


def test_before_and_after_a_fork(demo_page: Page) -> None:
    focus(demo_page, "fork-before")
    demo_page.press("Enter")
    before = text_of(demo_page, "map-legend")
    focus(demo_page, "fork-after")
    demo_page.press("Enter")
    after = text_of(demo_page, "map-legend")
    (fork,) = (each for each in demo() if isinstance(each, Fork))
    shared = f"shared by fork {fork.eager_copies} | {fork.eager_copies}\n"
    assert "shared by fork 0\n" in before and shared in after
    assert demo_page.value("byId('map-pane-1').hidden") is False
    assert f"fork, child pid 3, {fork.pages_shared} pages shared" in text_of(
        demo_page, "moment-text"
    )


def test_a_fault_opens_by_keyboard_and_reports_all(demo_page: Page) -> None:
    focus(demo_page, "list-text")
    for letter in "write_page":
        demo_page.press(letter)
    assert len(faults_of_write_page()) >= 3 + 2, "the child's stores and the parent's"
    assert f"of {len(faults_of_write_page())} faults" in text_of(demo_page, "list-count")
    demo_page.value("document.querySelector('#list-table tbody button').focus(), 1")
    demo_page.press("Enter")
    store = faults_of_write_page()[0].instruction
    body = text_of(demo_page, "fault-body")
    levels = demo_page.value("document.querySelectorAll('#fault .level').length")
    assert levels == 3
    for words in (
        "level 2 (root)",
        "R--U--D CoW",
        "RW-U-AD",
        "2 of the frame before, 1 of the frame after",
        "pages[page][0] = letter;",
        store,
        "main+",
        "1 of 4,096",
    ):
        assert words in body
    here = demo_page.value("[...document.querySelectorAll('#fault .here')].map((e) => e.innerText)")
    assert len(here) == 2 and "pages[page]" in here[0] and here[1].endswith(store)
    assert demo_page.problems == []


def test_a_fault_of_a_library_shows_the_callers_line(browser: Browser, tmp_path: Path) -> None:
    run = SyntheticRun()
    run.exec(2, 4)
    run.fault(2, 1, "zero_filled", place=SourceLocation(0x10004, "memset"))
    fault = run.trace[-1]
    assert isinstance(fault, Fault)
    fault.backtrace = [
        SourceLocation(0x10010, "outer"),
        SourceLocation(0x10020, "main", 4, "demo_cow.c", 29),
    ]
    shown = browser.open(written(tmp_path, run.end()))
    shown.value("app.open(0), 1")
    body = text_of(shown, "fault-body")
    assert "nearest caller" in body and "memset(pages[page], 'p', PAGE);" in body
    shown.close()


def test_maps_beside_each_other_lie_alike(demo_page: Page) -> None:
    first_copied = next(n for n, each in enumerate(faults()) if each.outcome == "copied")
    demo_page.value(f"app.open({first_copied}), 1")
    demo_page.wait_for_drawing()
    tops = demo_page.value(
        "SpaceMap.panes.map((pane) => pane.current.layout.blocks.map((block) => block.top))"
    )
    assert tops[0] == tops[1] and len(tops[0]) > 4
    demo_page.value("byId('map-scroll-0').scrollTop = 30, 1")
    demo_page.wait_for_drawing()
    assert demo_page.value("byId('map-scroll-1').scrollTop === byId('map-scroll-0').scrollTop")


def test_the_timeline_zooms_pans_and_opens_by_keyboard(demo_page: Page) -> None:
    focus(demo_page, "timeline-canvas")
    spans = [demo_page.value("Timeline.zoom.span")]
    for key in ("+", "+", "-", "0"):
        demo_page.press(key)
        spans.append(demo_page.value("Timeline.zoom.span"))
    assert spans[0] == spans[4] > spans[1] == spans[3] > spans[2]
    demo_page.press("+", 3)
    start = demo_page.value("Timeline.zoom.from")
    demo_page.press("ArrowLeft")
    assert demo_page.value("Timeline.zoom.from") < start
    demo_page.value("app.goTo(0), app.choose(0), 1")
    demo_page.press("n", 3)
    assert "Fault 3:" in text_of(demo_page, "timeline-live")
    demo_page.press("Enter")
    assert text_of(demo_page, "fault-title") == f"Fault 3 of {len(faults())}"
    demo_page.press("ArrowDown")
    assert demo_page.value("app.process") == 1


def test_wheel_and_drag_move_the_timeline(demo_page: Page) -> None:
    box = demo_page.value("(({x, y}) => [x, y])(byId('timeline-canvas').getBoundingClientRect())")
    x, y = box[0] + 300, box[1] + 30
    whole = demo_page.value("Timeline.zoom.span")
    for _ in range(4):
        demo_page.send(
            "Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-100
        )
    demo_page.wait_for_drawing()
    assert demo_page.value("Timeline.zoom.span") < whole
    start = demo_page.value("Timeline.zoom.from")
    common = {"button": "left", "buttons": 1}
    demo_page.send("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **common)
    demo_page.send("Input.dispatchMouseEvent", type="mouseMoved", x=x + 90, y=y, **common)
    demo_page.send("Input.dispatchMouseEvent", type="mouseReleased", x=x + 90, y=y, **common)
    assert demo_page.value("Timeline.zoom.from") < start


def test_the_map_goes_from_page_to_page_and_to_its_faults(demo_page: Page) -> None:
    focus(demo_page, "map-canvas-0")
    demo_page.press("Home")
    assert f"Page {first_page():#x} in demo_cow" in text_of(demo_page, "map-live")
    demo_page.press("ArrowRight")
    assert f"Page {first_page() + 4096:#x}" in text_of(demo_page, "map-live")
    demo_page.press("ArrowDown")
    assert f"Page {first_page() + 4096:#x}" not in text_of(demo_page, "map-live")
    demo_page.press("Home")
    demo_page.press("Enter")
    assert text_of(demo_page, "list-page").startswith(f"page {first_page():#x}")
    listed = demo_page.value(
        "[...document.querySelectorAll('#list-table tbody tr')]"
        ".map((row) => row.cells[5].innerText)"
    )
    assert listed and {int(address, 16) & -4096 for address in listed} == {first_page()}
    demo_page.press("End")
    assert "[stack]" in text_of(demo_page, "map-live")


def test_a_click_on_a_cell_shows_the_pages_faults(demo_page: Page) -> None:
    x, y = demo_page.value("(({x, y}) => [x, y])(byId('map-canvas-0').getBoundingClientRect())")
    demo_page.click(x + 10, y + 26)
    assert text_of(demo_page, "list-page").startswith(f"page {first_page():#x}")
    demo_page.value("byId('list-page').click(), 1")
    assert f"of {len(faults())} faults" in text_of(demo_page, "list-count")


def test_the_tree_goes_from_process_to_process(demo_page: Page) -> None:
    demo_page.value("app.choose(0), 1")
    focus(demo_page, "tree")
    demo_page.press("ArrowDown")
    active = demo_page.value(
        "document.getElementById(byId('tree').getAttribute('aria-activedescendant'))"
        ".getAttribute('aria-label')"
    )
    assert active.startswith("pid 3,") and "child of 2" in active
    assert text_of(demo_page, "map-name-0").startswith("pid 3")


def test_tab_reaches_every_control(demo_page: Page) -> None:
    demo_page.value(
        "window.controls = [...document.querySelectorAll("
        "'main :is(button, select, input, [tabindex=\"0\"])')]"
        ".filter((e) => !e.disabled && e.offsetParent), 1"
    )
    control_count = demo_page.value("controls.length")
    demo_page.value("window.reached = new Set(), document.activeElement.blur(), 1")
    for _ in range(control_count + 5):
        demo_page.press("Tab")
        demo_page.value("reached.add(document.activeElement), 1")
    assert demo_page.value("controls.filter((e) => !reached.has(e)).map((e) => e.outerHTML)") == []


def test_every_control_has_a_name(demo_page: Page) -> None:
    nodes = demo_page.send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "combobox", "slider", "searchbox", "application", "treeitem", "region"}
    found = [node for node in nodes if node.get("role", {}).get("value") in controls]
    unnamed = [node for node in found if not node.get("name", {}).get("value")]
    assert len(found) > 60
    assert unnamed == []


CONTRASTS = """
(() => {
  const luminance = (colour) => {
    const context = document.createElement("canvas").getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((part) =>
      part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const c = app.colours;
  const ratio = (one, other) => {
    const [dark, light] = [luminance(c[one]), luminance(c[other])].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const fills = [...new Set([...Object.values(OUTCOMES), ...STATES].map((each) => each.colour))];
  const pairs = fills.filter(Boolean).flatMap((fill) => [["on", fill, 4.5], [fill, "ground", 3]]);
  pairs.push(["text", "ground", 7], ["text", "panel", 7], ["faint", "panel", 4.5]);
  pairs.push(["faint", "ground", 4.5], ["text", "mark", 4.5], ["accent", "ground", 3]);
  return pairs.filter(([one, other, least]) => ratio(one, other) < least)
    .map(([one, other]) => `${one} on ${other}: ${ratio(one, other).toFixed(2)}`);
})()
"""


def test_all_is_readable_in_light_and_dark(demo_page: Page) -> None:
    light = pixels(demo_page, "map-canvas-0")
    assert demo_page.value(CONTRASTS) == []
    demo_page.theme(dark=True)
    demo_page.wait_for_drawing()
    assert demo_page.value(CONTRASTS) == []
    assert pixels(demo_page, "map-canvas-0") != light


def test_no_meaning_is_in_colour_alone(demo_page: Page) -> None:
    letters = demo_page.value("STATES.slice(1).map((state) => state.letter)")
    assert len(set(letters)) == len(letters) == 9 and all(letters)


def test_names_of_the_guest_are_shown_as_they_are(browser: Browser, tmp_path: Path) -> None:
    shown = browser.open(written(tmp_path, evil_run().trace))
    assert text_of(shown, "command") == f"{EVIL} {EVIL}"
    assert EVIL in text_of(shown, "fault-body")
    assert EVIL in text_of(shown, "costs-body")
    assert shown.value("document.querySelectorAll('img, main script').length") == 0
    assert shown.problems == []
    shown.close()


COUNTS = """
const work = {steps: 0, drawn: 0, elements: 0};
const counted = (kind, name, what) => {
  const original = kind.prototype[name];
  kind.prototype[name] = function (...given) {
    work[what] += 1;
    return original.apply(this, given);
  };
};
for (const name of ["fillRect", "strokeRect", "fillText", "lineTo"])
  counted(CanvasRenderingContext2D, name, "drawn");
for (const name of ["createElement", "createElementNS"]) counted(Document, name, "elements");
"""
"""Counts operations of a page from its start, since times depend on the machine."""


def work(shown: Page, script: str) -> dict[str, int]:
    """Counts the work of a script, including the drawing that it causes."""
    shown.value("Object.assign(work, {steps: 0, drawn: 0, elements: 0}), 1")
    shown.value(f"{script}, 1")
    shown.wait_for_drawing()
    done: dict[str, int] = shown.value("work")
    return done


def test_a_hundred_thousand_faults_can_be_used(browser: Browser, tmp_path: Path) -> None:
    """Only what fits on the screen is drawn, and a jump to any time takes few steps."""
    file = tmp_path / "large.html"
    file.write_bytes(large_page())
    shown = browser.open(file, script=COUNTS)
    assert shown.value("app.model.faultCount") == 100_000
    opening = shown.value("work")
    assert 100 < opening["drawn"] < 10_000 and 100 < opening["elements"] < 10_000
    shown.value("counted(Replay, 'step', 'steps'), 1")
    work(shown, "app.goTo(app.model.stepCount)")  # every snapshot is taken once
    between = shown.value("app.history.every")
    assert between < 100_000 / 40
    for script in (
        "app.goTo(60000)",
        "app.goTo(1)",
        "app.goTo(99000)",
        "app.open(77777)",
        "Timeline.change(() => Timeline.zoom.by(2))",
        "byId('list-text').value = 'f33', FaultList.filter()",
        "app.choose(12, 0)",
    ):
        done = work(shown, script)
        assert done["steps"] <= between, script
        assert done["drawn"] < 10_000 and done["elements"] < 2_000, script
    focus(shown, "moment")
    shown.press("ArrowLeft", 3)
    assert "77,775 of" in text_of(shown, "moment-text") or shown.value("app.moment") > 3
    assert "of 1," in text_of(shown, "list-count")
    assert shown.problems == []
    shown.close()


@pytest.mark.parametrize(
    "pte",
    [
        0,
        0x12,
        make_pte(0x80231, V),
        make_pte(0x80231, V | R | U | A | COW),
        make_pte(0x80231, V | R | W | X | U | G | A | D),
        make_pte((1 << 44) - 1, V | R | U | A | COW),
        1 << 63 | make_pte(0x80231, V | X),
        1 << 63 | make_pte(0x80231, 0),
    ],
    ids=pte_text,
)
def test_a_pte_has_the_same_text_as_in_a_trace(demo_page: Page, pte: int) -> None:
    exact = pte if pte < 1 << 53 else f"{pte:#x}"
    assert demo_page.value(f"pteText({json.dumps(exact)})") == pte_text(pte)

"""Does the page handle an untrusted trace with invalid numbers?"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from emu.observe.model.records import AnyRecord
from emu.observe.report.page import page
from tests.emu.observe.report.browser import Browser
from tests.emu.observe.report.traces import built, demo

WILD = (0, -1, -5, 1, 2**38, 2**53 + 1, 2**63, 2**64 - 1)
VISIT = """
(() => {
  for (let moment = 0; moment <= app.model.stepCount; moment += 3) {
    app.goTo(moment);
    SpaceMap.panes.forEach((pane) => pane.paint());
  }
  for (let fault = 0; fault < app.model.faultCount; fault += 5) {
    app.open(fault);
    SpaceMap.panes.forEach((pane) => pane.paint());
    Timeline.paint();
    ProcessTree.paint();
  }
  for (const step of app.model.forkSteps) Scrubber.showFork(step, 1);
  for (const canvas of ["map-canvas-0", "map-canvas-1"])
    for (const key of ["Home", "ArrowRight", "ArrowDown", "End", "ArrowUp", "PageDown", "Enter"])
      byId(canvas).dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
})()
"""


def damaged(value: Any, chance: random.Random) -> Any:
    """The same trace with some numbers replaced."""
    if isinstance(value, dict):
        return {key: damaged(inner, chance) for key, inner in value.items()}
    if isinstance(value, list):
        return [damaged(inner, chance) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.01:
        return chance.choice((*WILD, value + 1, value * 2))
    return value


def damaged_run(seed: int) -> list[AnyRecord]:
    chance = random.Random(seed)
    trace: list[AnyRecord] = []
    start, *rest = demo()
    if seed % 2:
        chance.shuffle(rest)
    for record in rest:
        wild = msgspec.json.encode(damaged(msgspec.to_builtins(record), chance))
        try:
            trace.append(msgspec.json.decode(wild, type=AnyRecord))
        except msgspec.DecodeError:
            continue  # read_trace rejects such a trace
    return [start, *trace]


@pytest.mark.parametrize("seed", range(6))
def test_nothing_breaks(browser: Browser, tmp_path: Path, seed: int) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(b"".join(page(built(damaged_run(seed)).data())))
    shown = browser.open(file)
    shown.value(VISIT)
    shown.wait_for_drawing()
    assert shown.problems == []
    shown.close()

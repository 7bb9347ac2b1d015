"""Is docs/architecture.md true: does a store page fault call the functions that it names?"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import pytest

from emu.api import Machine
from emu.observe.model.sink import RecordingOptions
from emu.options import Options
from guest.manifest import BY_NAME
from tests.emu.observe.support.recorded import record
from tests.guest.running import built
from toolchain.variant import Variant

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests" / "README.md"]
Step = tuple[str, str]
"""A file and a function in it."""


def documented_paths() -> list[list[Step]]:
    """The numbered lists of the section on a store page fault."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text.split("## A store page fault\n")[1].split("\n## ")[0]
    lists: list[list[Step]] = []
    for number, file, function in re.findall(r"^(\d+)\. `([\w/]+\.py)` `([\w.]+)`", section, re.M):
        if number == "1":
            lists.append([])
        lists[-1].append((file, function))
    return lists


class Calls:
    """Records the calls of some functions, in order."""

    def __init__(self, wanted: Sequence[Step]) -> None:
        self._wanted = set(wanted)
        self._found: dict[object, Step | None] = {}
        self.order: list[Step] = []

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code not in self._found:
            file = code.co_filename.removeprefix(f"{ROOT}/")
            step = file, code.co_qualname
            self._found[code] = step if step in self._wanted else None
        found = self._found[code]
        if found is not None:
            self.order.append(found)


def follows(path: Sequence[Step], order: Sequence[Step]) -> bool:
    """True when the steps after the first are called in sequence somewhere after the first."""
    first, *rest = path
    starts = range(len(order) - len(rest) + 1)
    return any(list(order[at : at + len(rest)]) == rest and first in order[:at] for at in starts)


@pytest.mark.parametrize("observed", [False, True], ids=["unobserved", "observed"])
def test_a_store_page_fault_goes_the_way_that_is_described(observed: bool) -> None:
    unobserved_path, observed_path = documented_paths()
    path = observed_path if observed else unobserved_path
    calls = Calls(path)
    program = built(BY_NAME["exact_child"], Variant.STATIC)
    sys.setprofile(calls)
    try:
        if observed:
            record([program], recording=RecordingOptions())
        else:
            Machine(Options()).run([program], record=False)
    finally:
        sys.setprofile(None)
    assert set(calls.order) == set(path), "a function that is described is not called"
    assert follows(path, calls.order)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    missing = [link for link in links if not (document.parent / link).exists()]
    named = re.findall(r"`((?:emu|kernel|guest|toolchain|tests|docs)/[\w/.-]+)`", text)
    missing += [name for name in named if not (ROOT / name).exists()]
    assert not missing

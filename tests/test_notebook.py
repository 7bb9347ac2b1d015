"""Does the notebook of the documents run, and show what its text says?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from emu import Cow, PageWalk, Result
from emu.results.table import Table
from tests.notebook import NOTEBOOK, ROOT, execute


@pytest.fixture(scope="module")
def values() -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(NOTEBOOK.parent)
        return execute(NOTEBOOK)


def test_do_all_cells_run(values: list[Any]) -> None:
    kinds = {type(value) for value in values}
    assert {Result, Table, Cow, PageWalk} <= kinds


def test_does_everything_shown_have_html(values: list[Any]) -> None:
    shown = [value for value in values if isinstance(value, Result | Table | Cow | PageWalk)]
    assert len(shown) >= 5
    assert all(value._repr_html_().startswith("<") for value in shown)
    result = next(value for value in values if isinstance(value, Result))
    assert "Who shares what" in result._repr_html_()


def test_are_the_numbers_those_of_the_text(values: list[Any]) -> None:
    policies = next(value for value in values if isinstance(value, dict))
    assert policies["cow"] < policies["eager"]
    exits = next(value for value in values if isinstance(value, list))
    assert exits == ["pid 3 ended with 0", "pid 2 ended with 0"]
    (zero_shared, zero_filled), frames_copied = values[-2:]
    assert zero_shared == 0 < zero_filled
    assert frames_copied > 0


def test_is_it_a_notebook_without_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    assert not any(cell.get("outputs") for cell in notebook["cells"]), "outputs vary by machine"


def test_does_the_document_of_the_interface_name_all_of_it() -> None:
    import emu

    text = (ROOT / "docs" / "PYTHON.md").read_text(encoding="utf-8")
    assert [name for name in emu.__all__ if f"`{name}`" not in text] == []

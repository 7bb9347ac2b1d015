"""Does every outcome of a page fault have its texts, and do the groups contain outcomes only?"""

import pytest

from emu.observe.model.outcomes import COPIES, OWN, in_line
from kernel.mm.outcome import Outcome


def test_has_every_outcome_texts_of_its_own() -> None:
    labels, meanings = {each.label for each in Outcome}, {each.meaning for each in Outcome}
    assert len(labels) == len(meanings) == len(Outcome)
    assert all(labels | meanings)


@pytest.mark.parametrize(
    "outcome, text",
    [("copied", "COPIED"), ("reused", "REUSED"), ("file_copied", "file page copied")],
)
def test_are_the_ends_of_sharing_in_capitals(outcome: str, text: str) -> None:
    assert in_line(outcome) == text


def test_does_a_summarys_line_fit_80_columns() -> None:
    assert max(len(each.meaning) for each in Outcome) <= 80 - 17


def test_are_the_kinds_of_outcome_outcomes() -> None:
    assert COPIES < OWN < set(Outcome)

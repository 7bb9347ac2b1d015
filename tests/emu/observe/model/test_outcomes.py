"""Has every outcome of a page fault its words, wherever it is told?"""

import pytest

from emu.observe.model.outcomes import COPIES, IN_A_LINE, IN_A_STORY, IN_A_SUMMARY, OWN
from kernel.mm.outcome import Outcome


@pytest.mark.parametrize("words", [IN_A_LINE, IN_A_STORY, IN_A_SUMMARY])
def test_every_outcome_has_words_and_nothing_else_has(words: dict[str, str]) -> None:
    assert list(words) == [str(outcome) for outcome in Outcome]
    assert all(words.values()) and len(set(words.values())) == len(words)


def test_are_the_kinds_of_outcome_outcomes() -> None:
    assert COPIES < OWN < {str(outcome) for outcome in Outcome}

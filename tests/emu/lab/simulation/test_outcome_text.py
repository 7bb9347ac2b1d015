"""Is every outcome of an operation a sentence in a lab's messages?"""

from __future__ import annotations

import pytest

from emu.lab.simulation.outcome_text import outcome_text, write_outcome_text
from kernel.mm.outcome import FAILURES, Outcome


@pytest.mark.parametrize("outcome", Outcome)
def test_has_every_outcome_of_a_fault_a_sentence(outcome: Outcome) -> None:
    assert " " in outcome_text(outcome) and " " in write_outcome_text(outcome)
    assert outcome_text(outcome).startswith("the process is killed: ") == (outcome in FAILURES)
    assert "killed" not in write_outcome_text(outcome)


def test_do_sentences_of_several_outcomes_follow_each_other() -> None:
    text = "the page maps the shared frame of zeroes, then the page gets a frame of zeroes"
    assert outcome_text("zero_shared, zero_filled") == text

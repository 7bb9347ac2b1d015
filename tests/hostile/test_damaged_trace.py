"""Is every damaged trace either accepted or rejected with one line?"""

from __future__ import annotations

import pytest

from tests.hostile import damaged_trace


@pytest.mark.parametrize("start", range(0, 120, 40))
def test_damaged_traces_are_accepted_or_rejected_in_one_line(start: int) -> None:
    answers = [answer for seed in range(start, start + 40) for answer in damaged_trace.run(seed)]
    refused = {message for status, message in answers if status == 2}
    assert len(refused) > 5, "damage is detected"
    assert any(status == 0 for status, _ in answers), "some damage does not matter"

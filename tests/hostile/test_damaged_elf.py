"""Is every damaged file either run or refused with one line?"""

from __future__ import annotations

import pytest

from tests.hostile import damaged_elf


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_damaged_files_are_run_or_refused_and_nothing_else(start: int) -> None:
    outcomes = [damaged_elf.run(seed) for seed in range(start, start + 100)]
    refused = {outcome for outcome in outcomes if isinstance(outcome, str)}
    assert len(refused) > 5, "damaged files are refused in different ways"
    assert len(refused) < len(outcomes), "some damage does not matter"

"""Can a guest escape from or break its machine by random system calls?"""

from __future__ import annotations

import pytest

from tests.hostile.wild import run


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_wild_system_calls_do_no_harm(seed: int) -> None:
    assert run(seed, 4_000).wrong == []

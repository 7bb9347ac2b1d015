"""Do random programs of forks and writes print the same under emu as under qemu-riscv64?

``make fuzz`` continues with other seeds.
"""

from __future__ import annotations

import pytest

from tests.oracles.programs.generator import program
from tests.oracles.programs.running import compare, difference


@pytest.mark.parametrize("seed", [1, 2, 5, 6, 8])
def test_random_program(seed: int) -> None:
    assert compare(seed) is None


def test_a_seed_always_gives_the_same_program() -> None:
    assert program(3) == program(3)
    assert program(3) != program(4)


def test_the_first_line_that_differs_is_shown_after_those_before_it() -> None:
    assert difference("one\ntwo\n", "one\ntwo\n") == "no line differs"
    assert difference("one\ntwo\n", "one\n2\n") == "after\none\nqemu: two\nemu: 2"
    assert difference("one\n", "one\nmore\n") == "after\none\nqemu: (end)\nemu: more"

"""Which integers does an option take, and does the message name them?"""

from __future__ import annotations

import argparse

import pytest

from emu.cli.main import main
from emu.cli.support.option_values import count, count_or_zero

FROM_ONE, FROM_ZERO = "(expected 1 to 1073741824)", "(expected 0 to 1073741824)"


@pytest.mark.parametrize("text, value", [("1", 1), ("1073741824", 1 << 30), ("007", 7), ("+5", 5)])
def test_is_an_integer_in_the_range_accepted(text: str, value: int) -> None:
    assert count(text) == count_or_zero(text) == value


@pytest.mark.parametrize("text", ["0", "-0", "000"])
def test_is_zero_accepted_only_where_it_has_a_meaning(text: str) -> None:
    assert count_or_zero(text) == 0
    with pytest.raises(argparse.ArgumentTypeError):
        count(text)


@pytest.mark.parametrize(
    "words, value, problem",
    [
        (["run", "--hugetlb", "99999999999"], "99999999999", f"out of range {FROM_ZERO}"),
        (["run", "--hugetlb", "-1"], "-1", f"out of range {FROM_ZERO}"),
        (["run", "--fail-alloc", "3000000000"], "3000000000", f"out of range {FROM_ONE}"),
        (["run", "--max-procs", "0"], "0", f"out of range {FROM_ONE}"),
        (["cow", "--top", "3000000000"], "3000000000", f"out of range {FROM_ONE}"),
        (["trace", "--backtrace", "-1"], "-1", f"out of range {FROM_ZERO}"),
        (["trace", "--around-faults", "1" * 5000], "1" * 5000, f"out of range {FROM_ONE}"),
        (["trace", "--pid", "1.5"], "1.5", f"not an integer {FROM_ONE}"),
        (["trace", "--pid", "-1"], "-1", f"out of range {FROM_ONE}"),
        (["walk", "--hit", "1e3"], "1e3", f"not an integer {FROM_ONE}"),
        (["why", "--pid", ""], "", f"not an integer {FROM_ONE}"),
        (["lab", "replay", "²"], "²", f"not an integer {FROM_ONE}"),
        (["lab", "replay", "٣"], "٣", f"not an integer {FROM_ONE}"),
        (["lab", "check", "--seed", "x"], "x", f"not an integer {FROM_ZERO}"),
        (["run", "--mem", "9" * 400], "9" * 400, "size out of range (expected 1M to 256G)"),
        (["run", "--kernel-memory", "٣G"], "٣G", "not a size (expected a size such as 64M)"),
        (
            ["run", "--timeout", "1e9"],
            "1e9",
            "out of range (expected more than 0 s, less than 1e9 s)",
        ),
        (["cow", "--max-cow-kb", "1e12"], "1e12", "not a number of KiB (expected less than 1e12)"),
        (["lab", "grade", "--jobs", "0"], "0", f"out of range {FROM_ONE}"),
    ],
)
def test_is_another_value_rejected_with_the_range_that_is_accepted(
    words: list[str], value: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.rstrip().endswith(f"{value!r}: {problem}")

"""Is every wrong kernel noticed, and never the right one?"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.wrong.checks import CHECKS
from tests.wrong.checks.check import Check
from tests.wrong.notice import notice
from tests.wrong.variant import Variant, broken, find
from tests.wrong.variants import VARIANTS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_the_right_kernel_passes(check: Check) -> None:
    check.prepare()
    check.run()


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_wrong_kernel_is_noticed(variant: Variant) -> None:
    assert notice(variant, CHECKS) is not None, f"nobody notices that {variant.breaks}"


def test_each_has_a_name_of_its_own() -> None:
    for things in (VARIANTS, CHECKS):
        twice = [name for name, n in Counter(each.name for each in things).items() if n > 1]
        assert twice == []


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_leaves_the_kernel_as_it_was(variant: Variant) -> None:
    functions = [find(edit.where) for edit in variant.edits]
    right = [function.__code__ for function in functions]
    try:
        with broken(variant):
            assert all(f.__code__ is not code for f, code in zip(functions, right, strict=True))
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert [function.__code__ for function in functions] == right

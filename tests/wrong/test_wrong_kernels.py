"""Is every wrong kernel detected, and never the correct one?"""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.wrong.checks import CHECKS
from tests.wrong.checks.check import Check, Undecided
from tests.wrong.notice import likely_first, notice
from tests.wrong.variant import Variant, broken, find
from tests.wrong.variants import VARIANTS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_the_right_kernel_passes(check: Check) -> None:
    check.prepare()
    check.run()


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_wrong_kernel_is_noticed(variant: Variant) -> None:
    assert notice(variant, likely_first(variant, CHECKS)) is not None, (
        f"nobody notices that {variant.breaks}"
    )


def sleep_without_cpu_time() -> None:
    time.sleep(0.3)


def loop_forever() -> None:
    while True:
        pass


def raise_undecided() -> None:
    raise Undecided


def test_a_busy_machine_causes_no_detection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.wrong.notice.SECONDS", 0.1)
    slow, endless = Check("slow", sleep_without_cpu_time), Check("endless", loop_forever)
    assert notice(VARIANTS[0], [slow]) is None, "the time of others was taken for its own"
    found = notice(VARIANTS[0], [slow, endless])
    assert found is not None and found.check == "endless"
    with pytest.raises(Undecided):
        notice(VARIANTS[0], [Check("undecided", raise_undecided)])


def test_each_has_a_name_of_its_own() -> None:
    for things in (VARIANTS, CHECKS):
        duplicates = [name for name, n in Counter(each.name for each in things).items() if n > 1]
        assert duplicates == []


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

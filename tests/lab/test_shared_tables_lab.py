"""Does the lab ``shared-tables`` tell right from wrong?"""

from __future__ import annotations

import pytest

from emu.lab.catalogue import find
from emu.lab.graded import testing
from emu.lab.mutants.wrong import Wrong
from tests.lab import lab_files

LAB = find("shared-tables")


@pytest.mark.parametrize("test", LAB.tests, ids=lambda test: test.name)
def test_does_the_reference_pass(test: testing.Test) -> None:
    assert test.run(lab_files.submission(LAB, LAB.solution)) is None


def test_does_the_skeleton_fail_every_test() -> None:
    failed = [result.failure for result in lab_files.results(LAB, LAB.skeleton)]
    assert {failure and failure.name for failure in failed} == {"not-implemented"}


@pytest.mark.parametrize("wrong", LAB.wrong, ids=lambda wrong: wrong.name)
def test_is_a_wrong_solution_caught(wrong: Wrong) -> None:
    assert lab_files.is_caught(LAB, wrong), f"nobody notices that {wrong.breaks}"


def test_do_the_points_make_a_hundred() -> None:
    assert sum(test.points for test in LAB.tests) == 100

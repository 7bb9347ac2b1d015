"""Do correct solutions get full marks: the reference, and ones with another design?"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.lab.graded.submission import Test as Graded
from emu.lab.workspace.catalogue import Lab, find
from tests.emu.lab.submissions import EVERY_LAB, GRADED, GRADED_NAMES, failure_text, submission

RIGHT = sorted((Path(__file__).parent / "right").glob("*.txt"))
"""Named as ``cow-fork.by-hand.txt``: text, so that no tool takes them for the project's code."""


@pytest.mark.parametrize(("lab", "test"), GRADED, ids=GRADED_NAMES)
def test_the_reference_passes(lab: Lab, test: Graded) -> None:
    assert failure_text(test, submission(lab, lab.solution)) == ""


@pytest.mark.parametrize("lab", EVERY_LAB, ids=lambda lab: lab.name)
def test_a_lab_is_worth_a_hundred_points_and_its_tests_have_names_of_their_own(lab: Lab) -> None:
    assert sum(test.points for test in lab.tests) == 100
    assert len({test.name for test in lab.tests}) == len(lab.tests)
    assert all(test.question.endswith("?") and test.points > 0 for test in lab.tests)


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_a_right_solution_of_another_shape_passes(path: Path) -> None:
    lab = find(path.name.partition(".")[0])
    given = submission(lab, path.read_text())
    failures = {test.name: failure_text(test, given) for test in lab.tests}
    assert {name: text for name, text in failures.items() if text} == {}

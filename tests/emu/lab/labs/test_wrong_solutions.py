"""Is every wrong solution detected, by the expected finding, and does no cheat get points?"""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.mutant import Mutant
from emu.lab.graded.test_kinds import RandomOperations
from emu.lab.host import student
from emu.lab.host.student_process import Limits
from emu.lab.labs.frames.allocator_tests import RandomCalls
from emu.lab.labs.walk.walk_tests import RandomTables
from emu.lab.mutants.cheats import CHEATS, Cheat
from emu.lab.mutants.results import WrongSolution, judge, mutants_of
from emu.lab.workspace.catalogue import Lab
from tests.emu.lab.submissions import EVERY_LAB, submission

_CHEATS = [(lab, cheat) for lab in EVERY_LAB for cheat in CHEATS]
_SLIPS = [(lab, slip) for lab in EVERY_LAB for slip in lab.mutants if slip.points_range]
_SLIP_NAMES = {(lab.name, slip.name) for lab, slip in _SLIPS}
_OTHERS = [
    (lab, wrong)
    for lab in EVERY_LAB
    for wrong in mutants_of(lab)
    if (lab.name, wrong.name) not in _SLIP_NAMES
]
_BROAD_TESTS = (RandomCalls, RandomOperations, RandomTables, GuestProgram)
"""Slow tests that cover all of a lab."""
_BY_REFERENCE = ("leaves-it-to-the-reference", "finds-no-memory", "allows-nothing")


@pytest.mark.parametrize(
    ("lab", "wrong"), _OTHERS, ids=[f"{lab.name}-{wrong.name}" for lab, wrong in _OTHERS]
)
def test_a_wrong_solution_is_detected_as_expected(lab: Lab, wrong: WrongSolution) -> None:
    tests = sorted(lab.tests, key=lambda test: test.name not in wrong.detected_by)
    verdict = judge(lab, wrong, tests, stop_when_detected=True)
    assert verdict.as_expected, (wrong.breaks, verdict.findings, wrong.detected_by)


@pytest.mark.parametrize(
    ("lab", "slip"), _SLIPS, ids=[f"{lab.name}-{slip.name}" for lab, slip in _SLIPS]
)
def test_a_single_slip_is_detected_and_costs_about_what_it_is_worth(lab: Lab, slip: Mutant) -> None:
    specific = [test for test in lab.tests if not isinstance(test, _BROAD_TESTS)]
    broad = [test for test in lab.tests if isinstance(test, _BROAD_TESTS)]
    wrong = next(each for each in mutants_of(lab) if each.name == slip.name)
    verdict = judge(lab, wrong, specific)
    costs = sum(test.points for test in specific if test.name in verdict.findings)
    assert slip.points_range is not None
    least, most = slip.points_range
    assert 50 <= least < most < 100
    assert least <= 100 - costs - sum(test.points for test in broad)
    assert 100 - costs <= most
    if not verdict.as_expected:
        verdict = judge(lab, wrong, broad, stop_when_detected=True)
    assert verdict.as_expected, (wrong.breaks, verdict.findings, wrong.detected_by)


def test_every_lab_has_slips_with_limits_of_points() -> None:
    assert all(count >= 3 for count in Counter(lab.name for lab, _ in _SLIPS).values())
    assert len({lab.name for lab, _ in _SLIPS}) == len(EVERY_LAB)


@pytest.mark.parametrize("name", _BY_REFERENCE)
@pytest.mark.parametrize("lab", EVERY_LAB, ids=lambda lab: lab.name)
def test_leaving_the_work_to_the_reference_gets_no_points(lab: Lab, name: str) -> None:
    cheat = next(cheat for cheat in CHEATS if cheat.name == name)
    given = submission(lab, cheat.apply(lab))
    assert [test.name for test in lab.tests if test.run(given) is None] == []


@pytest.mark.parametrize("lab", EVERY_LAB, ids=lambda lab: lab.name)
def test_wrong_solutions_have_names_of_their_own_and_say_what_is_wrong(lab: Lab) -> None:
    names = Counter(mutant.name for mutant in lab.mutants)
    assert [name for name, times in names.items() if times > 1] == []
    assert all(mutant.breaks and mutant.detected_by for mutant in lab.mutants)
    assert len(names) >= (12 if lab.core else 1)


def test_there_are_enough_in_all() -> None:
    assert len(_OTHERS) + len(_SLIPS) >= 40


@pytest.mark.parametrize(
    ("lab", "cheat"), _CHEATS, ids=[f"{lab.name}-{cheat.name}" for lab, cheat in _CHEATS]
)
def test_a_cheat_gets_no_point_and_is_reported_plainly(
    lab: Lab, cheat: Cheat, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "too-long" in cheat.detected_by:
        monkeypatch.setattr(student, "Limits", partial(Limits, seconds=0.3))
    given = submission(lab, cheat.apply(lab))
    failure = lab.tests[0].run(given)
    assert failure is not None and failure.name in cheat.detected_by, failure
    text = "\n".join([failure.when, *failure.lines])
    assert "Traceback" not in text and "site-packages" not in text


@pytest.mark.parametrize("lab", EVERY_LAB, ids=lambda lab: lab.name)
def test_the_grader_is_as_before_when_a_cheat_has_run(lab: Lab) -> None:
    for cheat in CHEATS[:3]:
        lab.tests[0].run(submission(lab, cheat.apply(lab)))
    assert lab.tests[0].run(submission(lab, lab.solution)) is None

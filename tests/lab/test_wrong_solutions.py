"""Is every wrong solution told, by what it should be, and does no way of cheating pay?"""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from emu.lab.catalogue import LABS, Lab
from emu.lab.mutants.cheats import CHEATS, Cheat
from emu.lab.mutants.table import Mutant, judge, wrong_of
from emu.lab.mutants.wrong import Wrong
from emu.lab.outside.process import Limits
from emu.lab.parts import kernel_parts
from tests.lab.labs import MADE, submission

_WITH_WRONG = [lab for lab in MADE if wrong_of(lab)]
_WRONG = [(lab, mutant) for lab in _WITH_WRONG for mutant in wrong_of(lab)]
_CHEATS = [(lab, cheat) for lab in MADE for cheat in CHEATS]


@pytest.mark.parametrize(
    ("lab", "mutant"), _WRONG, ids=[f"{lab.name}-{mutant.name}" for lab, mutant in _WRONG]
)
def test_a_wrong_solution_is_told_as_expected(lab: Lab, mutant: Mutant) -> None:
    tests = sorted(lab.tests, key=lambda test: test.name not in mutant.caught)
    verdict = judge(lab, mutant, tests, enough=True)
    assert verdict.as_expected, (mutant.breaks, verdict.caught, mutant.caught)


@pytest.mark.parametrize("lab", MADE, ids=lambda lab: lab.name)
def test_wrong_solutions_have_names_of_their_own_and_say_what_is_wrong(lab: Lab) -> None:
    names = Counter(mutant.name for mutant in wrong_of(lab))
    assert [name for name, times in names.items() if times > 1] == []
    assert all(mutant.breaks and mutant.caught for mutant in wrong_of(lab))
    assert len(names) >= (12 if lab.core else 1)


def test_there_are_enough_in_all() -> None:
    assert len(_WRONG) >= 40


@pytest.mark.parametrize(
    ("lab", "cheat"), _CHEATS, ids=[f"{lab.name}-{cheat.name}" for lab, cheat in _CHEATS]
)
def test_a_cheat_gets_no_point_and_is_told_plainly(
    lab: Lab, cheat: Cheat, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cheat.caught == ("too-long",):
        monkeypatch.setattr(kernel_parts, "Limits", partial(Limits, seconds=1.0))
    given = submission(lab, cheat.apply(lab))
    failure = lab.tests[0].run(given)
    assert failure is not None and failure.name in cheat.caught, failure
    said = "\n".join([failure.when, *failure.lines])
    assert "Traceback" not in said and "site-packages" not in said


@pytest.mark.parametrize("lab", MADE, ids=lambda lab: lab.name)
def test_the_grader_is_as_before_when_a_cheat_has_run(lab: Lab) -> None:
    for cheat in CHEATS[:3]:
        lab.tests[0].run(submission(lab, cheat.apply(lab)))
    assert lab.tests[0].run(submission(lab, lab.solution)) is None


def test_an_edit_that_no_longer_fits_is_an_error() -> None:
    wrong = Wrong("gone", "what it edits is not there", "no such text", "", ("isolation",))
    with pytest.raises(LookupError, match="gone: 0 times"):
        wrong.apply(LABS["cow-fork"].solution)

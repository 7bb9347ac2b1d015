"""Is a skeleton complete, and does it get no points?"""

from __future__ import annotations

import ast

import pytest

from emu.lab.graded.submission import Test as Graded
from emu.lab.protocol.entry_points import ENTRIES
from emu.lab.workspace.catalogue import Lab
from emu.lab.workspace.skeleton import BadRegion, skeleton, solution
from tests.emu.lab.submissions import EVERY_LAB, GRADED, GRADED_NAMES, skeleton_submission


@pytest.mark.parametrize(("lab", "test"), GRADED, ids=GRADED_NAMES)
def test_a_skeleton_fails_each_graded_test_as_not_implemented(lab: Lab, test: Graded) -> None:
    failure = test.run(skeleton_submission(lab))
    assert failure is not None and failure.name == "not-implemented", failure


@pytest.mark.parametrize("lab", EVERY_LAB, ids=lambda lab: lab.name)
def test_a_skeleton_has_every_function_and_each_says_what_it_must_do(lab: Lab) -> None:
    tree = ast.parse(lab.skeleton)
    functions = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    assert set(ENTRIES[lab.name]) <= set(functions)
    for name in ENTRIES[lab.name]:
        assert ast.get_docstring(functions[name]), name
    assert ast.get_docstring(tree)


@pytest.mark.parametrize("lab", EVERY_LAB, ids=lambda lab: lab.name)
def test_a_skeleton_gives_nothing_away_and_says_nothing_of_regions(lab: Lab) -> None:
    assert "SOLUTION" not in lab.skeleton
    assert "SOLUTION" not in lab.solution
    assert lab.skeleton.count("raise NotImplementedError") >= 1
    assert len(lab.skeleton.splitlines()) < len(lab.solution.splitlines())


@pytest.mark.parametrize("lab", EVERY_LAB, ids=lambda lab: lab.name)
def test_a_lab_has_a_handout_that_names_its_functions(lab: Lab) -> None:
    assert lab.handout.startswith("# Lab")
    named = [name for name in ENTRIES[lab.name] if name in lab.handout]
    assert named == list(ENTRIES[lab.name])


REFERENCE = """
def given():
    return 1

# BEGIN SOLUTION
def helper():
    return 2
# END SOLUTION

def wanted():
    # BEGIN SOLUTION
    return helper()
    # END SOLUTION
"""


def test_a_region_becomes_not_implemented_in_a_function_and_nothing_outside() -> None:
    text = skeleton(REFERENCE)
    assert "def given():\n    return 1" in text
    assert "helper" not in text
    assert text.endswith('def wanted():\n    raise NotImplementedError("wanted()")\n')
    assert "return helper()" in solution(REFERENCE)


@pytest.mark.parametrize(
    "reference, line",
    [
        ("# BEGIN SOLUTION\n", 1),
        ("x = 1\n# END SOLUTION\n", 2),
        ("# BEGIN SOLUTION\n# BEGIN SOLUTION\n# END SOLUTION\n", 2),
    ],
)
def test_regions_without_matching_marks_are_an_error(reference: str, line: int) -> None:
    with pytest.raises(BadRegion) as raised:
        skeleton(reference)
    assert raised.value.line == line

"""A lab's solution, its skeleton and its wrong solutions, as they are graded."""

from __future__ import annotations

from emu.lab.graded.mutant import WrongSolution
from emu.lab.graded.submission import Result, Submission, run
from emu.lab.host.student import LabFile
from emu.lab.workspace.catalogue import Lab


def submission(lab: Lab, source: str) -> Submission:
    return lab.submission([LabFile(lab.name, lab.file, source)])


def results(lab: Lab, source: str) -> list[Result]:
    return [run(test, submission(lab, source)) for test in lab.tests]


def is_caught(lab: Lab, wrong: WrongSolution) -> bool:
    """Whether one of the tests fails by a name that was expected; guests are asked last."""
    source = wrong.apply(lab.solution)
    for test in sorted(lab.tests, key=lambda test: hasattr(test, "guest")):
        failure = run(test, submission(lab, source)).failure
        if failure is not None and {test.name, failure.name} & set(wrong.caught):
            return True
    return False

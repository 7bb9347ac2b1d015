"""All labs, and their files as submissions."""

from __future__ import annotations

from functools import cache

from emu.lab.graded.submission import Submission
from emu.lab.graded.submission import Test as Graded
from emu.lab.host.student import LabFile
from emu.lab.workspace.catalogue import LABS, Lab

EVERY_LAB = list(LABS.values())
GRADED = [(lab, test) for lab in EVERY_LAB for test in lab.tests]
GRADED_NAMES = [f"{lab.name}-{test.name}" for lab, test in GRADED]


def submission(lab: Lab, source: str) -> Submission:
    return lab.submission([LabFile(lab.name, lab.file, source)])


@cache
def skeleton_submission(lab: Lab) -> Submission:
    """The skeleton of a lab; each graded test runs on it once in a process of pytest."""
    return submission(lab, lab.skeleton)


def failure_text(test: Graded, given: Submission) -> str:
    """Text of a failure, for the message of an assertion; empty if the test passes."""
    failure = test.run(given)
    if failure is None:
        return ""
    return "\n".join([f"{failure.name}   {failure.when}", *failure.lines])

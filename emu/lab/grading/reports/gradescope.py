"""The results.json of a Gradescope autograder (gradescope-autograders.readthedocs.io, "Autograder
Specifications", "Output format").

Only the tests have scores. A total would reveal the results of the private tests, which students
see only after the due date.
"""

from __future__ import annotations

import json
from typing import Any

from emu.lab.grading.reports.record import GradedTest, Record
from emu.lab.grading.reports.text import defect_text, failure_text


def gradescope(record: Record) -> bytes:
    content: dict[str, Any] = {
        "execution_time": round(record.seconds),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": [_test(test) for test in record.tests],
    }
    if record.problem:
        content["output"] = record.problem
    if not record.tests:
        content["score"] = 0
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def _test(test: GradedTest) -> dict[str, Any]:
    return {
        "name": test.name,
        "score": test.points,
        "max_score": test.max_points,
        "status": "passed" if test.status == "passed" else "failed",
        "visibility": "after_due_date" if test.private else "visible",
        "output_format": "text",
        "output": "\n".join([test.question, *_lines(test)]),
    }


def _lines(test: GradedTest) -> list[str]:
    if test.failure is not None:
        return failure_text(test.failure)
    return defect_text() if test.status == "defect" else []

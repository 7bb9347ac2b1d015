"""The result of one submission as it is kept, from which every report is made.

It is one JSON object. What came from the student is quoted in it: one line each, bounded, without
control characters (see :mod:`emu.lab.text.sanitize`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

VERSION = 1
"""Of the schema; raised when a field changes its meaning or goes."""


Status = Literal["graded", "unreadable", "defect"]
Verdict = Literal["passed", "failed", "defect"]


class FailureRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a test failed."""

    name: str
    """Of the invariant, or of what was expected."""
    when: str
    lines: list[str]
    operations: list[str] = []
    """The sequence that shows it, told."""
    replay: list[list[Any]] = []
    """The same for ``emu lab replay``."""
    stood_in: list[int] = []
    """Indices of the operations that the reference did, from 0."""


class GradedTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of one test."""

    name: str
    question: str
    status: Verdict
    """``defect``: the grader failed, so the test says nothing of the student's code."""
    points: int
    max_points: int
    private: bool
    """From the instructor's own file: not to be shown before the due date."""
    seconds: float
    failure: FailureRecord | None = None
    """Of a test that failed."""
    defect: str = ""
    """The grader's own traceback."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of one submission."""

    version: int
    emu: str
    """The version of emu."""
    digest: str
    """Of the submission's files, the lab, its tests, the private ones and emu's code: as long as it
    is the same, the result holds."""
    submission: str
    """Its name in the folder of submissions."""
    lab: str
    """Empty when it could not be told."""
    files: list[str]
    """The files that were graded, where they were found in the submission."""
    status: Status
    """``unreadable``: ``problem`` says why nothing could be graded. ``defect``: the grader failed
    in a test at least, and ought to be run again."""
    problem: str
    defect: str
    """The grader's own traceback, when it could not read the submission."""
    score: int
    max_score: int
    seconds: float
    tests: list[GradedTest]

    @property
    def failed(self) -> list[GradedTest]:
        return [test for test in self.tests if test.status != "passed"]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Record)


def encoded(record: Record) -> bytes:
    return msgspec.json.format(_ENCODER.encode(record), indent=1) + b"\n"


def decoded(data: bytes) -> Record | None:
    """The record; None for what is none, or of another version."""
    try:
        record = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return record if record.version == VERSION else None

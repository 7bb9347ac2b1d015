"""The stored result of one submission, from which every report is made.

It is one JSON object. Text from the student is sanitized: single lines of bounded length without
control characters (see :mod:`emu.lab.text.sanitize`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

VERSION = 2
"""Version of the schema; incremented when a field is removed or changes its meaning."""


Status = Literal["graded", "unreadable", "defect"]
Verdict = Literal["passed", "failed", "defect"]


class FailureRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reason why a test failed."""

    name: str
    """Name of the invariant or the expectation."""
    when: str
    lines: list[str]
    operations: list[str] = []
    """Descriptions of the operations that lead to the failure."""
    replay: list[list[Any]] = []
    """The same operations for ``emu lab replay``."""
    reference_steps: list[int] = []
    """Indices of the operations that the reference did, from 0."""


class GradedTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Result of one test."""

    name: str
    question: str
    status: Verdict
    """``defect``: the grader failed, so there is no verdict on the student's code."""
    points: int
    max_points: int
    private: bool
    """True for a test from the instructor's own file, to be shown after the due date only."""
    seconds: float
    failure: FailureRecord | None = None
    """Present if the test failed."""
    defect: str = ""
    """Traceback of the grader."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of one submission."""

    version: int
    emu: str
    """Version of emu."""
    digest: str
    """Digest of the submission's files, the lab, its tests, the private tests and emu's code. While
    it is unchanged, the result is valid."""
    submission: str
    """Name in the folder of submissions."""
    lab: str
    """Name of the lab; empty if unknown."""
    files: list[str]
    """Paths of the graded files in the submission."""
    status: Status
    """``unreadable``: not graded, ``problem`` is the reason. ``defect``: the grader failed in at
    least one test; the submission should be graded again."""
    problem: str
    defect: str
    """Traceback of the grader, if it failed to read the submission."""
    score: int
    max_score: int
    seconds: float
    tests: list[GradedTest]

    @property
    def failed(self) -> list[GradedTest]:
        return [test for test in self.tests if test.status != "passed"]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    return msgspec.json.format(_ENCODER.encode(record), indent=1) + b"\n"


def decode(data: bytes) -> Record | None:
    """Decodes a record; None for invalid data or another version."""
    try:
        record = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return record if record.version == VERSION else None

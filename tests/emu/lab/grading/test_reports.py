"""Do results follow the formats of other tools, and can a student not forge their text?"""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from emu.lab.grading.reports import FORMATS
from emu.lab.grading.reports.record import (
    VERSION,
    FailureRecord,
    GradedTest,
    Record,
    decode,
    encode,
)
from emu.lab.grading.reports.summary import summary_csv, summary_text

FAILURE = FailureRecord(
    name="shared-is-not-writable",
    when="after fork(), pid 1 → 2",
    lines=["frame 0x80231 has 2 users:  pid 1  0x11000  RW-U-AD   ← still writable"],
    operations=["pid 1 forks"],
    replay=[["Fork", 1]],
)
PASSED = GradedTest("fork-shares", "does fork share?", "passed", 5, 5, False, 0.1)
FAILED = GradedTest("child-stores", "is it copied?", "failed", 0, 5, False, 0.25, FAILURE)
HIDDEN = GradedTest("secret-tree", "a secret question", "failed", 0, 7, True, 0.5, FAILURE)
DEFECT = GradedTest(
    "fork-again", "again?", "defect", 0, 5, False, 0.5, defect="Traceback\nKeyError: 7"
)


def record(*tests: GradedTest, **changed: Any) -> Record:
    values: dict[str, Any] = {
        "version": VERSION,
        "emu": "0.1.0",
        "digest": "ab" * 32,
        "submission": "Ada Lovelace",
        "lab": "cow-fork",
        "files": ["cow_fork.py"],
        "status": "graded",
        "problem": "",
        "defect": "",
        "score": sum(test.points for test in tests),
        "max_score": sum(test.max_points for test in tests),
        "seconds": 1.5,
        "tests": list(tests),
    }
    return Record(**{**values, **changed})


UNREADABLE = record(
    status="unreadable", problem="it does not contain cow_fork.py", lab="", files=[]
)


# The record.


def test_a_record_that_was_written_reads_as_the_same():
    whole = record(PASSED, FAILED, HIDDEN, DEFECT)
    assert decode(encode(whole)) == whole


def test_half_a_record_and_one_of_another_version_are_none():
    data = encode(record(PASSED))
    assert decode(data[: len(data) // 2]) is None
    assert decode(encode(msgspec.structs.replace(record(PASSED), version=VERSION - 1))) is None
    assert decode(b"[" * 100_000) is None


# Gradescope.


def test_gradescope_gets_each_test_with_its_points_and_says_nothing_of_the_sum():
    result = json.loads(FORMATS["gradescope"].make(record(PASSED, FAILED)))
    assert "score" not in result
    passed, failed = result["tests"]
    assert (passed["name"], passed["score"], passed["max_score"]) == ("fork-shares", 5, 5)
    assert (passed["status"], failed["status"]) == ("passed", "failed")
    assert "still writable" in failed["output"]
    assert "pid 1 forks" in failed["output"]


def test_gradescope_hides_private_tests_until_after_the_due_date():
    result = json.loads(FORMATS["gradescope"].make(record(FAILED, HIDDEN)))
    visibility = {test["name"]: test["visibility"] for test in result["tests"]}
    assert visibility == {"child-stores": "visible", "secret-tree": "after_due_date"}
    assert "secret" not in json.dumps([result.get("output"), result["tests"][0]])


def test_gradescope_shows_why_a_submission_could_not_be_read():
    result = json.loads(FORMATS["gradescope"].make(UNREADABLE))
    assert (result["score"], result["output"]) == (0, "it does not contain cow_fork.py")


@pytest.mark.parametrize("name", ["gradescope", "text"])
def test_a_defect_is_reported_to_a_student_without_our_traceback(name):
    report = FORMATS[name].make(record(DEFECT, status="defect")).decode()
    assert "Defect of the grader, not an error in your code" in report
    assert "KeyError" not in report


# JUnit.


def test_junit_has_a_case_for_each_test_and_counts_them():
    suite = ElementTree.fromstring(FORMATS["junit"].make(record(PASSED, FAILED, DEFECT)))[0]
    counts = [suite.get(name) for name in ("tests", "failures", "errors")]
    assert counts == ["3", "1", "1"]
    failure = suite.find("testcase[@name='child-stores']/failure")
    assert failure.get("type") == "shared-is-not-writable"
    assert "still writable" in (failure.text or "")
    assert suite.find("testcase[@name='fork-shares']/*") is None


def test_junit_is_well_formed_whatever_the_texts_are():
    wild = "".join(map(chr, range(0x2100))) + "\ud800\ufffe]]>&<"
    failure = FailureRecord("raised", wild, [wild])
    test = GradedTest("child-stores", wild, "failed", 0, 5, False, 0.1, failure)
    suite = ElementTree.fromstring(FORMATS["junit"].make(record(test, submission=wild)))[0]
    assert "]]>&<" in (suite.findtext("testcase/failure") or "")


def test_junit_has_one_error_for_a_submission_that_could_not_be_read():
    suite = ElementTree.fromstring(FORMATS["junit"].make(UNREADABLE))[0]
    assert suite.find("testcase/error").get("message") == "it does not contain cow_fork.py"


# Text.


def test_the_text_shows_a_student_what_failed_and_nothing_of_private_tests():
    report = FORMATS["text"].make(record(PASSED, FAILED, HIDDEN)).decode()
    assert "5 of 10 points" in report
    assert "still writable" in report
    assert "secret" not in report
    assert "1 private test: shown after the due date" in report


# Summaries.


def test_the_csv_has_a_row_for_each_submission():
    data = summary_csv([record(PASSED, FAILED, HIDDEN), UNREADABLE]).decode()
    first, second = csv.DictReader(io.StringIO(data))
    assert (first["submission"], first["score"], first["max_score"]) == ("Ada Lovelace", "5", "17")
    assert first["failed"] == "child-stores secret-tree"
    assert (second["status"], second["problem"]) == (
        "unreadable",
        "it does not contain cow_fork.py",
    )


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_name_is_a_formula_to_a_spreadsheet(name):
    data = summary_csv([record(PASSED, submission=name)]).decode()
    assert data.splitlines()[1].startswith(f"'{name}")


def test_a_summary_has_no_times_so_that_the_same_verdicts_are_the_same_bytes():
    slower = msgspec.structs.replace(record(FAILED), seconds=99.0)
    for summary in (summary_csv, summary_text):
        assert summary([slower]) == summary([record(FAILED)])


def test_the_summary_names_the_submissions_with_a_defect():
    summary = summary_text([record(DEFECT, status="defect"), record(PASSED)]).decode()
    assert "defect of emu in 1: Ada Lovelace" in summary
    assert "2 submissions: 1 with full marks" in summary

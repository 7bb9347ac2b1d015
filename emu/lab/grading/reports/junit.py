"""A result as JUnit XML, which CI systems read: one suite for the submission, a case a test."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from emu.lab.grading.reports.record import GradedTest, Record
from emu.lab.grading.reports.text import failure_text

_NO_CHARACTERS = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't have, escaped or not (section 2.2, Characters)."""


def junit(record: Record) -> bytes:
    suite = Xml.Element("testsuite", name=_fit(record.submission), time=f"{record.seconds:.3f}")
    for test in record.tests:
        suite.append(_case(test, record.lab))
    if record.status == "unreadable":
        case = Xml.SubElement(suite, "testcase", classname=record.lab, name="submission")
        Xml.SubElement(case, "error", type="unreadable", message=_fit(record.problem))
    for attribute, kind in (("failures", "failure"), ("errors", "error")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    suites = Xml.Element("testsuites", name=f"emu lab {record.lab}".strip())
    suites.append(suite)
    Xml.indent(suites)
    data: bytes = Xml.tostring(suites, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _case(test: GradedTest, lab: str) -> Xml.Element:
    case = Xml.Element("testcase", classname=lab, name=_fit(test.name), time=f"{test.seconds:.3f}")
    if test.failure is not None:
        message = _fit(f"{test.failure.name}: {test.failure.when}")
        failure = Xml.SubElement(case, "failure", type=_fit(test.failure.name), message=message)
        failure.text = _fit("\n".join(failure_text(test.failure)))
    elif test.status == "defect":
        error = Xml.SubElement(case, "error", type="defect", message="defect of emu")
        error.text = _fit(test.defect)
    return case


def _fit(text: str) -> str:
    return _NO_CHARACTERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

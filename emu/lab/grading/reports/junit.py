"""JUnit XML of a result, for CI systems: one suite for the submission, one case for each test."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from emu.lab.grading.reports.record import GradedTest, Record
from emu.lab.grading.reports.text import failure_text

_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow, escaped or not (section 2.2, Characters)."""


def junit(record: Record) -> bytes:
    suite = Xml.Element("testsuite", name=_escape(record.submission), time=f"{record.seconds:.3f}")
    for test in record.tests:
        suite.append(_case(test, record.lab))
    if record.status == "unreadable":
        case = Xml.SubElement(suite, "testcase", classname=record.lab, name="submission")
        Xml.SubElement(case, "error", type="unreadable", message=_escape(record.problem))
    for attribute, kind in (("failures", "failure"), ("errors", "error")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    suites = Xml.Element("testsuites", name=f"emu lab {record.lab}".strip())
    suites.append(suite)
    Xml.indent(suites)
    data: bytes = Xml.tostring(suites, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _case(test: GradedTest, lab: str) -> Xml.Element:
    case = Xml.Element(
        "testcase", classname=lab, name=_escape(test.name), time=f"{test.seconds:.3f}"
    )
    if test.failure is not None:
        message = _escape(f"{test.failure.name}: {test.failure.when}")
        failure = Xml.SubElement(case, "failure", type=_escape(test.failure.name), message=message)
        failure.text = _escape("\n".join(failure_text(test.failure)))
    elif test.status == "defect":
        error = Xml.SubElement(case, "error", type="defect", message="defect of emu")
        error.text = _escape(test.defect)
    return case


def _escape(text: str) -> str:
    return _NOT_IN_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

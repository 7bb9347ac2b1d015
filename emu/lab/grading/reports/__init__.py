"""The result of a submission in the formats that it is wanted in."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emu.lab.grading.reports.gradescope import gradescope
from emu.lab.grading.reports.junit import junit
from emu.lab.grading.reports.record import Record, encoded
from emu.lab.grading.reports.text import text


class Format(NamedTuple):
    """The file's name in the folder of a submission's results, and what makes its bytes."""

    file: str
    make: Callable[[Record], bytes]


FORMATS = {
    "json": Format("result.json", encoded),
    "gradescope": Format("results.json", gradescope),
    "junit": Format("junit.xml", junit),
    "text": Format("report.txt", text),
}

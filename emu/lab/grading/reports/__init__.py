"""Formats of a submission's result. Imports nothing else of the project; imported by
:mod:`emu.lab.grading` and ``emu lab grade``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emu.lab.grading.reports.gradescope import gradescope
from emu.lab.grading.reports.junit import junit
from emu.lab.grading.reports.record import Record, encode
from emu.lab.grading.reports.text import text


class Format(NamedTuple):
    """Name of the file in the folder of a submission's results, and its encoder."""

    file: str
    make: Callable[[Record], bytes]


FORMATS = {
    "json": Format("result.json", encode),
    "gradescope": Format("results.json", gradescope),
    "junit": Format("junit.xml", junit),
    "text": Format("report.txt", text),
}

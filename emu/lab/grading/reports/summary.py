"""Table of all results: as text for a terminal, and as CSV for a gradebook.

Neither contains times, so equal verdicts give identical bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from emu.lab.grading.reports.record import Record

_COLUMNS = ("submission", "lab", "status", "score", "max_score", "failed", "problem")
_FORMULA = ("=", "+", "-", "@", "\t")
"""Characters that begin a formula in a spreadsheet; students choose the names of their files."""
_MAX_NAMES = 4


def summary_csv(records: Sequence[Record]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for record in records:
        failed = " ".join(test.name for test in record.failed)
        row = (record.submission, record.lab, record.status, record.score, record.max_score)
        writer.writerow([_cell(value) for value in (*row, failed, record.problem)])
    return out.getvalue().encode()


def _cell(value: str | int) -> str | int:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def summary_text(records: Sequence[Record]) -> bytes:
    rows = [
        (record.submission, record.lab, f"{record.score}/{record.max_score}", _remark(record))
        for record in records
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [
        f"{name:{widths[0]}}  {lab:{widths[1]}}  {score:>{widths[2]}}  {remark}".rstrip()
        for name, lab, score, remark in rows
    ]
    return ("\n".join([*lines, *_totals(records)]) + "\n").encode()


def _remark(record: Record) -> str:
    if record.problem:
        return record.problem
    names = [test.name for test in record.failed]
    more = [f"and {len(names) - _MAX_NAMES} more"] if len(names) > _MAX_NAMES else []
    return " ".join([*names[:_MAX_NAMES], *more])


def _totals(records: Sequence[Record]) -> list[str]:
    count = len(records)
    full = sum(record.status == "graded" and not record.failed for record in records)
    unreadable = sum(record.status == "unreadable" for record in records)
    defects = [record.submission for record in records if record.status == "defect"]
    lines = [
        f"{count} submission{'s' * (count != 1)}: {full} with full marks, "
        f"{unreadable} that could not be read"
    ]
    if defects:
        lines.append(f"defect of emu in {len(defects)}: {', '.join(defects[:_MAX_NAMES])}")
    return ["", *lines]

"""The rows as text of at most 100 columns, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.bench.rows import Row, Spread, Unit

WORLDS = ("emu", "pure", "qemu", "native")
OTHERS = ("qemu", "native")

LEGEND = (
    "Times are medians; ratios are medians of each round's ratio, with the least and the most.\n"
    "pure: emu in pure Python. Goals: q of qemu-riscv64's time, n of the native time."
)


def text(rows: Sequence[Row]) -> str:
    """Two tables: work that other worlds do too, and work of emu only."""
    compared = [row for row in rows if not _alone(row)]
    alone = [row for row in rows if _alone(row)]
    parts = []
    if compared:
        others = [world for world in OTHERS if any(row.value(world) for row in compared)]
        worlds = [world for world in WORLDS if any(row.value(world) for row in compared)]
        head = ("work", *worlds, *(f"emu/{other}" for other in others))
        lines = [(*head, "goal", "met"), *(_compared(row, worlds, others) for row in compared)]
        parts.append(_columns(lines) + "\n\n" + LEGEND)
    if alone:
        parts.append(_columns([("emu alone", "median", "spread"), *map(_alone_cells, alone)]))
    return "\n\n".join(parts)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {
            "row": row.name,
            "unit": row.unit,
            "samples": [dict(sample) for sample in row.samples],
            "values": {world: _plain(row.value(world)) for world in WORLDS},
            "ratios": {other: _plain(row.ratio(other)) for other in OTHERS},
            "goal": asdict(row.goal) if row.goal else None,
            "met": row.reaches_goal,
        }
        for row in rows
    ]


def number(value: float) -> str:
    """A ratio, rounded to its significant digits."""
    if value >= 10:
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.095 else f"{value:.3f}"


def amount(value: float, unit: Unit) -> str:
    """A value with its unit; of a time, the unit with one to three digits before the point."""
    if unit == "x":
        return f"{number(value)} x"
    if unit == "million/s":
        return f"{number(value)} million/s"
    if unit == "MiB":
        return f"{value:.0f} MiB"
    for suffix in ("ns", "µs", "ms"):
        if value < 999.5:
            return f"{value:.3g} {suffix}"
        value /= 1000
    return f"{value:.3g} s"


def _alone(row: Row) -> bool:
    return all(set(sample) <= {"emu"} for sample in row.samples) and row.goal is None


def _compared(row: Row, worlds: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    values = [row.value(world) for world in worlds]
    ratios = [row.ratio(other) for other in others]
    verdict = "-" if row.reaches_goal is None else "yes" if row.reaches_goal else "NO"
    return (
        row.name,
        *("-" if value is None else amount(value.median, row.unit) for value in values),
        *("-" if ratio is None else _spread(ratio) for ratio in ratios),
        _goal(row),
        verdict,
    )


def _goal(row: Row) -> str:
    if row.goal is None:
        return "-"
    if row.goal.against is None:
        return f"≤{amount(row.goal.at_most, row.unit)}"
    return f"≤{row.goal.at_most:g} {row.goal.against[0]}"


def _spread(ratio: Spread) -> str:
    if ratio.least == ratio.most:  # one round
        return number(ratio.median)
    return f"{number(ratio.median)} {number(ratio.least)}–{number(ratio.most)}"  # noqa: RUF001


def _alone_cells(row: Row) -> tuple[str, ...]:
    value = row.value("emu")
    if value is None:
        return (row.name, "-", "-")
    if value.least == value.most:
        return (row.name, amount(value.median, row.unit), "-")
    ends = (amount(end, row.unit) for end in (value.least, value.most))
    return (row.name, amount(value.median, row.unit), " – ".join(ends))  # noqa: RUF001


def _columns(lines: Sequence[Sequence[str]]) -> str:
    """Lines of aligned cells: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        " ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _plain(spread: Spread | None) -> dict[str, float] | None:
    return asdict(spread) if spread else None

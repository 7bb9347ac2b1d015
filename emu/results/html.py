"""Pieces of HTML for notebooks. All text is escaped: some of it comes from guests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_CELL = "padding:1px 8px;vertical-align:top"


def number_text(value: object) -> str:
    """Numbers with separators of thousands, other values as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def table(names: Sequence[str], rows: Iterable[Sequence[object]], more: str = "") -> str:
    """A table with a line of names, and the text ``more`` below it."""
    head = "".join(_cell("th", name.replace("_", " "), "left") for name in names)
    lines = [f"<tr>{head}</tr>", *("<tr>" + "".join(map(_value, row)) + "</tr>" for row in rows)]
    return f"<table>{''.join(lines)}</table>" + (f"<div>{escape(more)}</div>" if more else "")


def pairs(rows: Iterable[tuple[str, object, str]]) -> str:
    """A table of labels, numbers and notes beside them, without a line of names."""
    lines = [
        "<tr>" + _cell("td", label, "left") + _value(value) + _cell("td", note, "left") + "</tr>"
        for label, value, note in rows
    ]
    return f"<table>{''.join(lines)}</table>"


def block(text: str) -> str:
    """Text in a fixed width font."""
    return f'<pre style="margin:4px 0;line-height:1.25">{escape(text)}</pre>'


def heading(text: str) -> str:
    return f'<div style="font-weight:600;margin:8px 0 2px">{escape(text)}</div>'


def _value(value: object) -> str:
    align = "right" if isinstance(value, int | float) else "left"
    return _cell("td", number_text(value), align)


def _cell(tag: str, text: str, align: str) -> str:
    return f'<{tag} style="text-align:{align};{_CELL}">{escape(text)}</{tag}>'

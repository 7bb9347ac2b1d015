"""Code locations as short texts, preferably with a line of the user's own source."""

from __future__ import annotations

from collections.abc import Iterable

from emu.observe.model.records import SourceLocation


def with_line(place: SourceLocation, callers: Iterable[SourceLocation]) -> SourceLocation:
    """The innermost location with a source line, of a place and its callers; the place if there is
    none.
    """
    return next((each for each in (place, *callers) if each.line), place)


def function_name(place: SourceLocation) -> str:
    """Name of the function; without a symbol the image and pc; ``[kernel]`` for pc 0."""
    if place.function:
        return place.function
    return f"{place.image.rpartition('/')[2]} pc {place.pc:#x}".strip() if place.pc else "[kernel]"


def where_text(place: SourceLocation, callers: Iterable[SourceLocation] = ()) -> str:
    """Such as ``counter.c:12 count``, or ``counter.c:12 count (memset)`` with the function that it
    called.
    """
    shown = with_line(place, callers)
    line = f"{shown.file.rpartition('/')[2]}:{shown.line} " if shown.line else ""
    inner = "" if shown is place else f" ({function_name(place)})"
    return f"{line}{function_name(shown)}{inner}"

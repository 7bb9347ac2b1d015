"""Places in the program as short texts for a reader: the source line that he wrote himself."""

from __future__ import annotations

from collections.abc import Iterable

from emu.observe.model.records import SourceLocation


def with_line(place: SourceLocation, callers: Iterable[SourceLocation]) -> SourceLocation:
    """The innermost of a place and its callers that has a source line; the place if none has."""
    return next((each for each in (place, *callers) if each.line), place)


def function_name(place: SourceLocation) -> str:
    """The function's, or the pc in its file where no symbol is known; the kernel has neither."""
    if place.function:
        return place.function
    return f"{place.image.rpartition('/')[2]} pc {place.pc:#x}".strip() if place.pc else "[kernel]"


def where_text(place: SourceLocation, callers: Iterable[SourceLocation] = ()) -> str:
    """Such as ``counter.c:12 count``, or ``counter.c:12 count (memset)`` for what it called."""
    shown = with_line(place, callers)
    line = f"{shown.file.rpartition('/')[2]}:{shown.line} " if shown.line else ""
    inner = "" if shown is place else f" ({function_name(place)})"
    return f"{line}{function_name(shown)}{inner}"

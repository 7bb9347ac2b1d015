"""Ranges of a record's numbers and texts, checked only when a trace is read: see TRACE.md."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

_INT64 = (1 << 63) - 1
WORD_END = 1 << 64
LONGEST_TEXT = 1 << 16
"""Characters: more than any path or readable symbol has."""

Word: TypeAlias = Annotated[int, Meta(ge=0)]
"""64 bits, unsigned: more than :class:`Meta` can bound, so the reader checks the upper limit."""
Count: TypeAlias = Annotated[int, Meta(ge=0, le=_INT64)]
Signed: TypeAlias = Annotated[int, Meta(ge=-_INT64, le=_INT64)]
Pid: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 30)]
Address: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 56)]
"""A physical address, or a virtual one that can be mapped."""
Frame: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 44)]
Pages: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 28)]
"""Pages, tables or PTEs of a fork or a process: Sv39 gives a user 1 << 26 pages."""
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1 << 28)]
PageBytes: TypeAlias = Annotated[int, Meta(ge=0, le=4096)]
Level: TypeAlias = Annotated[int, Meta(ge=0, le=2)]
Small: TypeAlias = Annotated[int, Meta(ge=0, le=255)]
Line: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 32)]
Text: TypeAlias = Annotated[str, Meta(max_length=LONGEST_TEXT)]

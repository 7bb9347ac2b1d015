"""Types of the fields of records: their ranges, which a reader checks, and their units."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeAlias

from msgspec import Meta

from emu.machine.cause import Access
from emu.machine.pte import HUGE_SIZE
from kernel.mm.forking.fork import POLICIES
from kernel.mm.outcome import Outcome

_INT64 = (1 << 63) - 1
WORD_END = 1 << 64
LONGEST_TEXT = 1 << 16
"""Maximum length of a text in characters."""
_MOST_PAGES = 1 << 28
"""Sv39 gives a user 2²⁶ pages."""
_WORD = {"maximum": WORD_END - 1}
"""Of unsigned 64-bit numbers: too large for :class:`Meta`, so the reader checks it."""

Word: TypeAlias = Annotated[int, Meta(ge=0, extra_json_schema=_WORD)]
CodeAddress: TypeAlias = Annotated[
    int, Meta(ge=0, extra={"unit": "address"}, extra_json_schema=_WORD)
]
"""A value that a program jumped to or accessed: any 64 bits."""
Pte: TypeAlias = Annotated[int, Meta(ge=0, extra={"unit": "PTE"}, extra_json_schema=_WORD)]
Address: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 56, extra={"unit": "address"})]
"""A virtual address that can be mapped."""
PhysicalAddress: TypeAlias = Annotated[
    int, Meta(ge=0, le=1 << 56, extra={"unit": "physical address"})
]
Frame: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 44, extra={"unit": "frame"})]
Flags: TypeAlias = Annotated[str, Meta(max_length=LONGEST_TEXT, extra={"unit": "flags"})]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=_INT64)]
Users: TypeAlias = Annotated[int, Meta(ge=0, le=_INT64, extra={"unit": "users"})]
Nanoseconds: TypeAlias = Annotated[int, Meta(ge=0, le=_INT64, extra={"unit": "ns"})]
Bytes: TypeAlias = Annotated[int, Meta(ge=0, le=_INT64, extra={"unit": "bytes"})]
SignedBytes: TypeAlias = Annotated[int, Meta(ge=-_INT64, le=_INT64, extra={"unit": "bytes"})]
PageBytes: TypeAlias = Annotated[int, Meta(ge=0, le=HUGE_SIZE, extra={"unit": "bytes"})]
"""Up to those of a huge page."""
Pages: TypeAlias = Annotated[int, Meta(ge=0, le=_MOST_PAGES, extra={"unit": "pages"})]
Tables: TypeAlias = Annotated[int, Meta(ge=0, le=_MOST_PAGES, extra={"unit": "tables"})]
Frames: TypeAlias = Annotated[int, Meta(ge=0, le=_MOST_PAGES, extra={"unit": "frames"})]
Ptes: TypeAlias = Annotated[int, Meta(ge=0, le=_MOST_PAGES, extra={"unit": "PTEs"})]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=_MOST_PAGES, extra={"unit": "pages"})]
Pid: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 30)]
Level: TypeAlias = Annotated[int, Meta(ge=0, le=2)]
Small: TypeAlias = Annotated[int, Meta(ge=0, le=255)]
Line: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 32)]
Text: TypeAlias = Annotated[str, Meta(max_length=LONGEST_TEXT)]


def _one_of(names: Iterable[str]) -> Meta:
    """The values that a reader accepts, for the JSON Schema."""
    return Meta(max_length=LONGEST_TEXT, extra_json_schema={"enum": list(names)})


AccessName: TypeAlias = Annotated[str, _one_of(each.name.lower() for each in Access)]
OutcomeName: TypeAlias = Annotated[str, _one_of(map(str, Outcome))]
PolicyName: TypeAlias = Annotated[str, _one_of(POLICIES)]

"""Objects in the records of a trace: code locations, mappings, page-table entries, stacks."""

from __future__ import annotations

import msgspec

from emu.observe.model.bounds import (
    LONGEST_TEXT,
    Address,
    CodeAddress,
    Count,
    Flags,
    Level,
    Line,
    PhysicalAddress,
    Pid,
    Pte,
    SignedBytes,
    Text,
)


class Stack(msgspec.Struct, tag_field="event", tag="stack"):
    """Callers that later records refer to by number; not an event, so without seq and time."""

    number: Count
    """The number by which ``fault`` and ``fork`` refer to it, from 1."""
    places: list[SourceLocation]
    """The callers, innermost first."""


class SourceLocation(msgspec.Struct, omit_defaults=True, frozen=True):
    """A location in the code of a program."""

    pc: CodeAddress
    """Address of the instruction; in a backtrace, the return address."""
    function: Text = ""
    """The innermost function, including inlined ones; empty if unknown."""
    offset: SignedBytes = 0
    """Distance from the start of the outermost function, which is not inlined."""
    file: Text = ""
    """The source file."""
    line: Line = 0
    """The line in ``file``, from 1; 0 if unknown."""
    image: Text = ""
    """Name of the mapping: the program or a library."""
    inlined: tuple[Caller, ...] = ()
    """The functions into which ``function`` was inlined, innermost first."""


class Caller(msgspec.Struct, omit_defaults=True, frozen=True):
    """The call site of an inlined function."""

    function: Text
    """The calling function."""
    file: Text = ""
    """The source file."""
    line: Line = 0
    """The line in ``file``."""


class Range(msgspec.Struct, omit_defaults=True, frozen=True):
    """A mapping (VMA), or a part of one."""

    start: Address
    """Address of the first byte."""
    end: Address
    """Address after the last byte."""
    rights: Text
    """Permissions as in /proc/PID/maps, such as ``rw-p``."""
    name: Text = ""
    """The mapped file, or a name such as ``[heap]``."""


class Entry(msgspec.Struct, frozen=True):
    """One entry that a page-table walk reads."""

    level: Level
    """2 for the root table, 0 for a leaf table."""
    address: PhysicalAddress
    """Address of the entry."""
    pte: Pte | None
    """The entry; null if ``address`` is outside physical memory."""
    flags: Flags
    """Flags of ``pte``."""


class Sharer(msgspec.Struct, frozen=True):
    """Another page that maps the same frame."""

    pid: Pid
    """The process."""
    address: Address
    """Address of the page in that process."""


class MappedPage(msgspec.Struct, frozen=True):
    """A page that a fault mapped beside its own."""

    address: Address
    """Address of the page."""
    pte: Pte
    """Its PTE."""


def text(name: str | None) -> str:
    """Decodes a guest's name to Unicode that is safe for a terminal: other characters are escaped.

    A name longer than a record allows is truncated.
    """
    if not name or (len(name) <= LONGEST_TEXT and name.isprintable()):
        return name or ""
    escaped = "".join(
        each if each.isprintable() else each.encode("unicode_escape", "replace").decode()
        for each in name[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
    )
    return escaped if len(escaped) <= LONGEST_TEXT else escaped[: LONGEST_TEXT - 1] + "…"

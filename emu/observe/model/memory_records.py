"""Records of changes in an address space, and of the memory that processes use."""

from __future__ import annotations

from typing import TypeAlias

from emu.observe.model.bounds import (
    Address,
    Flags,
    Frame,
    Frames,
    Pages,
    Pid,
    Pte,
    Share,
    Text,
    Users,
)
from emu.observe.model.record_base import Record
from emu.observe.model.record_objects import Range, SourceLocation


class Map(Record, tag="map", kw_only=True):
    """A range was mapped, or its permissions changed."""

    pid: Pid
    """The process."""
    range: Range
    """The mapping after the change."""
    call: Text = ""
    """The system call that made the change; empty for a stack that grew."""
    place: SourceLocation | None = None
    """The innermost caller with a source line; the system call's instruction if none has one."""


class Unmap(Record, tag="unmap", kw_only=True):
    """A range was unmapped."""

    pid: Pid
    """The process."""
    start: Address
    """Address of the first byte."""
    end: Address
    """Address after the last byte."""
    call: Text = ""
    """The system call."""
    place: SourceLocation | None = None
    """As in ``map``."""


class Move(Record, tag="move", kw_only=True):
    """A range was moved, with its pages (mremap)."""

    pid: Pid
    """The process."""
    start: Address
    """Old address of the first byte."""
    end: Address
    """Old address after the last byte."""
    to: Address
    """New address of the first byte."""
    call: Text = ""
    """The system call."""
    place: SourceLocation | None = None
    """As in ``map``."""


class Clear(Record, tag="clear", kw_only=True):
    """The pages of a range were released; the range may still be mapped (madvise)."""

    pid: Pid
    """The process."""
    start: Address
    """Address of the first byte."""
    end: Address
    """Address after the last byte."""
    call: Text = ""
    """The system call."""
    place: SourceLocation | None = None
    """As in ``map``."""


class PageSize(Record, tag="page_size", kw_only=True):
    """A huge page was split, except by a fault; or pages became one, with the same content."""

    pid: Pid
    """The process."""
    address: Address
    """Address of the first byte of the 2 MiB."""
    huge: bool
    """True for pages that became a huge page (MADV_COLLAPSE)."""
    copied: Pages = 0
    """Those of the pages that a fork had shared with a process that still uses them."""
    vma: Range | None = None
    """The mapping that contains them; only of pages that became a huge page."""
    call: Text = ""
    """The system call."""
    place: SourceLocation | None = None
    """As in ``map``."""


ByACall: TypeAlias = Map | Unmap | Move | Clear | PageSize
"""Changes that a system call makes in an address space."""


class Page(Record, tag="page", kw_only=True):
    """The state of a watched page after a change."""

    pid: Pid
    """The process."""
    address: Address
    """Address of the page."""
    pte: Pte = 0
    """The page's PTE after the change."""
    flags: Flags = ""
    """Flags of ``pte``."""
    frame: Frame = 0
    """Frame of ``pte``, if it is valid."""
    count: Users = 0
    """Number of users of the frame, as in ``fault``; 0 for the zero page, which is not counted."""


class Sample(Record, tag="sample", kw_only=True):
    """The amount of memory that a process uses."""

    pid: Pid
    """The process."""
    resident: Pages
    """Mapped pages, without the zero page."""
    proportional: Share
    """Each page divided by the number of its users, to two decimal places. With ``shared-tables``
    the last value of a process may be too large."""
    unique: Pages
    """Pages that no other process uses."""
    tables: Frames
    """Page tables."""

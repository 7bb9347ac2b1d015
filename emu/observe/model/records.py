"""The records of a trace: what is written, a JSON object a line, and read back.

They are values, with no tie to the machine they tell of, so whatever can be told live can be told
from a file later. ``emu/observe/TRACE.md`` describes every field; ``SCHEMA`` changes when one
changes its meaning or goes. Addresses, frames (PPNs) and PTEs are numbers; times are nanoseconds of
the machine's clock since it was started.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from emu.observe.model.bounds import (
    LONGEST_TEXT,
    Address,
    Count,
    Frame,
    Level,
    Line,
    PageBytes,
    Pages,
    Pid,
    Share,
    Signed,
    Small,
    Text,
    Word,
)

SCHEMA = 2


class Record(msgspec.Struct, omit_defaults=True, tag_field="event"):
    """What all have: a number that counts them from 0, and when it was."""

    seq: Count
    time: Count


class SourceLocation(msgspec.Struct, omit_defaults=True, frozen=True):
    """A place in the program's code. ``inlined`` are the functions into which it was inlined."""

    pc: Word
    function: Text = ""
    offset: Signed = 0
    file: Text = ""
    line: Line = 0
    image: Text = ""
    inlined: tuple[Caller, ...] = ()


class Caller(msgspec.Struct, omit_defaults=True, frozen=True):
    """Where an inlined function was called from."""

    function: Text
    file: Text = ""
    line: Line = 0


class Range(msgspec.Struct, omit_defaults=True, frozen=True):
    """A VMA: [start, end), with its rights as in /proc/PID/maps, such as ``rw-p``."""

    start: Address
    end: Address
    rights: Text
    name: Text = ""


class Entry(msgspec.Struct, frozen=True):
    """One entry that a walk reads. ``pte`` is null when its address is outside physical memory."""

    level: Level
    address: Address
    pte: Word | None
    flags: Text


class Sharer(msgspec.Struct, frozen=True):
    """Another page that maps a frame."""

    pid: Pid
    address: Address


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


class Stack(msgspec.Struct, tag_field="event", tag="stack"):
    """Callers that records name by number from then on; no event, so without seq and time."""

    number: Count
    places: list[SourceLocation]


class Start(Record, tag="start", kw_only=True):
    """The first record of a trace."""

    schema: Count
    emu: Text
    command: list[Text]
    fork_policy: Text
    memory: Count
    deterministic: bool = False
    filtered: bool = False


class Exec(Record, tag="exec", kw_only=True):
    """A process has a new image; or its first."""

    pid: Pid
    path: Text
    entry: Word
    root: Frame
    maps: list[Range]


class Fork(Record, tag="fork", kw_only=True):
    """A child. ``shares_memory`` is a vfork's, which costs nothing and copies nothing.

    Of the parent's ranges the child does not have those that are ``left_out``, nor the pages of
    those that are ``wiped``.
    """

    pid: Pid
    tid: Pid
    child: Pid
    place: SourceLocation | None = None
    stack: Count = 0
    backtrace: list[SourceLocation] = []
    root: Frame = 0
    pages_shared: Pages = 0
    tables_shared: Pages = 0
    frames_copied: Pages = 0
    eager_copies: Pages = 0
    ptes_written: Pages = 0
    shares_memory: bool = False
    left_out: list[Range] = []
    wiped: list[Range] = []


class Exit(Record, tag="exit", kw_only=True):
    """A process has ended; ``status`` is as a shell gives it: 128 + signal when one killed it."""

    pid: Pid
    status: Small


class Map(Record, tag="map", kw_only=True):
    """A range became mapped, or has other rights.

    ``call`` is the system call that did it, at ``place``: the innermost of its callers with a known
    source line; as in the records that follow. Neither is there for a stack that grew.
    """

    pid: Pid
    range: Range
    call: Text = ""
    place: SourceLocation | None = None


class Unmap(Record, tag="unmap", kw_only=True):
    """A range is mapped no more."""

    pid: Pid
    start: Address
    end: Address
    call: Text = ""
    place: SourceLocation | None = None


class Move(Record, tag="move", kw_only=True):
    """A range now lies elsewhere, with its pages."""

    pid: Pid
    start: Address
    end: Address
    to: Address
    call: Text = ""
    place: SourceLocation | None = None


class Clear(Record, tag="clear", kw_only=True):
    """The pages of a range were let go of; it may still be mapped."""

    pid: Pid
    start: Address
    end: Address
    call: Text = ""
    place: SourceLocation | None = None


ByACall: TypeAlias = Map | Unmap | Move | Clear
"""What a system call changes in an address space."""


class Page(Record, tag="page", kw_only=True):
    """What became of a page that is watched: its PTE, and how many hold its frame.

    It follows the record of what changed them, be it another process's. ``count`` is 0 for the zero
    page, which any number may hold.
    """

    pid: Pid
    address: Address
    pte: Word = 0
    flags: Text = ""
    frame: Frame = 0
    count: Count = 0


class Fault(Record, tag="fault", kw_only=True):
    """A page fault, and what was done about it.

    The counts are of those that hold a frame: PTEs, where those of a leaf table that several
    processes share count once, and the kernel itself.
    """

    pid: Pid
    tid: Pid
    place: SourceLocation
    access: Text
    cause: Small
    stval: Word
    outcome: Text
    rule: Text = ""
    instruction: Text = ""
    call: Text = ""
    signal: bool = False
    loading: bool = False
    vma: Range | None = None
    table_copied: bool = False
    walk: list[Entry] = []
    pte_before: Word = 0
    pte_after: Word = 0
    flags_before: Text = ""
    flags_after: Text = ""
    frame_before: Frame = 0
    frame_after: Frame = 0
    count_before: Count = 0
    count_after: Count = 0
    sharers: list[Sharer] = []
    stack: Count = 0
    backtrace: list[SourceLocation] = []
    heap: list[SourceLocation] = []
    host_ns: Count = 0

    @property
    def page(self) -> int:
        """The address of the page's first byte."""
        return self.stval & ~0xFFF

    @property
    def in_kernel(self) -> str:
        """What the kernel was at when it met the fault itself; nothing for the program's own."""
        return self.call or ("signal delivery" if self.signal else "")


class CopyEnd(Record, tag="copy_end", kw_only=True):
    """A page that a fault had copied has reached its end: so many of its bytes had changed."""

    fault: Count
    pid: Pid
    address: Address
    bytes_changed: PageBytes
    why: Text


class Call(Record, tag="call", kw_only=True):
    """A system call that ended; ``result`` is null when it does not return."""

    pid: Pid
    tid: Pid
    name: Text
    arguments: list[Word]
    result: int | None
    began: Count


class Signal(Record, tag="signal", kw_only=True):
    """A signal is delivered."""

    pid: Pid
    tid: Pid
    signal: Text


class Sample(Record, tag="sample", kw_only=True):
    """How much memory a process has: pages of 4,096 bytes.

    ``proportional`` counts each page divided by the number of its users; ``unique`` those that
    nobody else has.
    """

    pid: Pid
    resident: Pages
    proportional: Share
    unique: Pages
    tables: Pages


class End(Record, tag="end", kw_only=True):
    """The last record: the kernel's own counts, as ``--summary=json`` prints them."""

    summary: dict[str, object]


AnyRecord: TypeAlias = (
    Start
    | Exec
    | Fork
    | Exit
    | Map
    | Unmap
    | Move
    | Clear
    | Page
    | Fault
    | CopyEnd
    | Call
    | Signal
    | Sample
    | End
)

"""The records of a trace: what is written, a JSON object a line, and read back.

They are values, with no tie to the machine they tell of, so whatever can be told live can be told
from a file later. TRACE.md, beside this file, describes every field; ``SCHEMA`` changes when one
changes its meaning or goes. Addresses, frames (PPNs) and PTEs are numbers; times are nanoseconds of
the machine's clock since it was started.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

SCHEMA = 1


class Record(msgspec.Struct, omit_defaults=True, tag_field="event"):
    """What all have: a number that counts them from 0, and when it was."""

    seq: int
    time: int


class Place(msgspec.Struct, omit_defaults=True, frozen=True):
    """A place in the program's code. ``inlined`` are the functions into which it was inlined."""

    pc: int
    function: str = ""
    offset: int = 0
    file: str = ""
    line: int = 0
    image: str = ""
    inlined: tuple[Caller, ...] = ()


class Caller(msgspec.Struct, omit_defaults=True, frozen=True):
    """Where an inlined function was called from."""

    function: str
    file: str = ""
    line: int = 0


class Range(msgspec.Struct, omit_defaults=True, frozen=True):
    """A VMA: [start, end), with its rights as in /proc/PID/maps, such as ``rw-p``."""

    start: int
    end: int
    rights: str
    name: str = ""


class Entry(msgspec.Struct, frozen=True):
    """One entry that a walk reads. ``pte`` is null when its address is outside physical memory."""

    level: int
    address: int
    pte: int | None
    flags: str


class Sharer(msgspec.Struct, frozen=True):
    """Another page that maps a frame."""

    pid: int
    address: int


def text(name: str | None) -> str:
    """A name of the guest's as Unicode that is fit for a terminal: what isn't is escaped."""
    if not name or name.isprintable():
        return name or ""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "replace").decode()
        for each in name.encode("utf-8", "replace").decode("utf-8")
    )


class Stack(msgspec.Struct, tag_field="event", tag="stack"):
    """Callers that records name by number from then on; no event, so without seq and time."""

    number: int
    places: list[Place]


class Start(Record, tag="start", kw_only=True):
    """The first record of a trace."""

    schema: int
    emu: str
    command: list[str]
    fork_policy: str
    memory: int
    deterministic: bool = False
    filtered: bool = False


class Exec(Record, tag="exec", kw_only=True):
    """A process has a new image; or its first."""

    pid: int
    path: str
    entry: int
    root: int
    maps: list[Range]


class Fork(Record, tag="fork", kw_only=True):
    """A child. ``shares_memory`` is a vfork's, which costs nothing and copies nothing.

    Of the parent's ranges the child does not have those that are ``left_out``, nor the pages of
    those that are ``wiped``.
    """

    pid: int
    tid: int
    child: int
    place: Place | None = None
    stack: int = 0
    backtrace: list[Place] = []
    root: int = 0
    pages_shared: int = 0
    tables_shared: int = 0
    frames_copied: int = 0
    eager_copies: int = 0
    ptes_written: int = 0
    shares_memory: bool = False
    left_out: list[Range] = []
    wiped: list[Range] = []


class Exit(Record, tag="exit", kw_only=True):
    """A process has ended; ``status`` is as a shell gives it: 128 + signal when one killed it."""

    pid: int
    status: int


class Map(Record, tag="map", kw_only=True):
    """A range became mapped, or has other rights.

    ``call`` is the system call that did it, at ``place``: the innermost of its callers with a known
    source line; as in the records that follow. Neither is there for a stack that grew.
    """

    pid: int
    range: Range
    call: str = ""
    place: Place | None = None


class Unmap(Record, tag="unmap", kw_only=True):
    """A range is mapped no more."""

    pid: int
    start: int
    end: int
    call: str = ""
    place: Place | None = None


class Move(Record, tag="move", kw_only=True):
    """A range now lies elsewhere, with its pages."""

    pid: int
    start: int
    end: int
    to: int
    call: str = ""
    place: Place | None = None


class Clear(Record, tag="clear", kw_only=True):
    """The pages of a range were let go of; it may still be mapped."""

    pid: int
    start: int
    end: int
    call: str = ""
    place: Place | None = None


ByACall: TypeAlias = Map | Unmap | Move | Clear
"""What a system call changes in an address space."""


class Page(Record, tag="page", kw_only=True):
    """What became of a page that is watched: its PTE, and how many hold its frame.

    It follows the record of what changed them, be it another process's. ``count`` is 0 for the zero
    page, which any number may hold.
    """

    pid: int
    address: int
    pte: int = 0
    flags: str = ""
    frame: int = 0
    count: int = 0


class Fault(Record, tag="fault", kw_only=True):
    """A page fault, and what was done about it.

    The counts are of those that hold a frame: PTEs, where those of a leaf table that several
    processes share count once, and the kernel itself.
    """

    pid: int
    tid: int
    place: Place
    access: str
    cause: int
    stval: int
    outcome: str
    rule: str = ""
    instruction: str = ""
    call: str = ""
    signal: bool = False
    loading: bool = False
    vma: Range | None = None
    table_copied: bool = False
    walk: list[Entry] = []
    pte_before: int = 0
    pte_after: int = 0
    flags_before: str = ""
    flags_after: str = ""
    frame_before: int = 0
    frame_after: int = 0
    count_before: int = 0
    count_after: int = 0
    sharers: list[Sharer] = []
    stack: int = 0
    backtrace: list[Place] = []
    heap: list[Place] = []
    host_ns: int = 0

    @property
    def page(self) -> int:
        """The address of the page's first byte."""
        return self.stval & ~0xFFF

    @property
    def in_kernel(self) -> str:
        """What the kernel was at when it met the fault itself; nothing for the program's own."""
        return self.call or ("signal delivery" if self.signal else "")


class Settled(Record, tag="settled", kw_only=True):
    """A page that a fault had copied has reached its end: so many of its bytes had changed."""

    fault: int
    pid: int
    address: int
    bytes_changed: int
    why: str


class Call(Record, tag="call", kw_only=True):
    """A system call that ended; ``result`` is null when it does not return."""

    pid: int
    tid: int
    name: str
    arguments: list[int]
    result: int | None
    began: int


class Signal(Record, tag="signal", kw_only=True):
    """A signal is delivered."""

    pid: int
    tid: int
    signal: str


class Sample(Record, tag="sample", kw_only=True):
    """How much memory a process has: pages of 4,096 bytes.

    ``proportional`` counts each page divided by the number of its users; ``unique`` those that
    nobody else has.
    """

    pid: int
    resident: int
    proportional: float
    unique: int
    tables: int


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
    | Settled
    | Call
    | Signal
    | Sample
    | End
)

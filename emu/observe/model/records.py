"""The records of a trace: in memory, and as JSON objects, one per line.

Records are values without references to the machine, so an analysis works the same during a run and
on a file. The docstrings of the fields are the source of ``emu/observe/TRACE.md`` and
``trace.schema.json``: run ``python -m emu.observe.model.document`` after a change. ``SCHEMA``
increases when a field is removed or its meaning changes, and with a new kind of record.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from emu.observe.model.bounds import (
    Bytes,
    CodeAddress,
    Count,
    Frame,
    Frames,
    Nanoseconds,
    Pages,
    Pid,
    PolicyName,
    Ptes,
    Small,
    Tables,
    Text,
    Word,
)
from emu.observe.model.fault_records import CopyEnd, Fault
from emu.observe.model.memory_records import (
    ByACall,
    Clear,
    Map,
    Move,
    Page,
    PageSize,
    Sample,
    Unmap,
)
from emu.observe.model.record_base import Record
from emu.observe.model.record_objects import (
    Caller,
    Entry,
    MappedPage,
    Range,
    Sharer,
    SourceLocation,
    Stack,
    text,
)

__all__ = [
    "SCHEMA",
    "AnyRecord",
    "ByACall",
    "Call",
    "Caller",
    "Clear",
    "CopyEnd",
    "End",
    "Entry",
    "Exec",
    "Exit",
    "Fault",
    "Fork",
    "Map",
    "MappedPage",
    "Move",
    "Page",
    "PageSize",
    "Range",
    "Record",
    "Sample",
    "Sharer",
    "Signal",
    "SourceLocation",
    "Stack",
    "Start",
    "Unmap",
    "text",
]

SCHEMA = 2


class Start(Record, tag="start", kw_only=True):
    """The first record of a trace: the run."""

    schema: Count
    """Version of this format."""
    emu: Text
    """Version of emu."""
    command: list[Text]
    """The program and its arguments."""
    fork_policy: PolicyName
    """``cow``, ``eager`` or ``shared-tables``."""
    memory: Bytes
    """Physical memory of the machine."""
    deterministic: bool = False
    """Fixed seed and virtual clock: all such runs of a program have the same trace."""
    filtered: bool = False
    """Records are missing: the trace has those that ``--pid``, ``--outcome``, … select."""


class Exec(Record, tag="exec", kw_only=True):
    """A process has a new image, or its first."""

    pid: Pid
    """The process."""
    path: Text
    """The program's file in the guest's file system."""
    entry: CodeAddress
    """The first instruction: of the dynamic loader, if there is one."""
    root: Frame
    """The root page table."""
    maps: list[Range]
    """The mappings."""


class Fork(Record, tag="fork", kw_only=True):
    """A process created a child: fork, vfork, or clone without CLONE_THREAD."""

    pid: Pid
    """The parent."""
    tid: Pid
    """The thread that forked."""
    child: Pid
    """The child's pid."""
    place: SourceLocation | None = None
    """The instruction of the system call."""
    stack: Count = 0
    """The callers: the ``number`` of an earlier ``stack`` line."""
    backtrace: list[SourceLocation] = []
    """The places of ``stack``: in memory only, never in a file."""
    root: Frame = 0
    """The child's root page table."""
    pages_shared: Pages = 0
    """Pages that parent and child share after the fork."""
    tables_shared: Tables = 0
    """Leaf page tables that parent and child share (``shared-tables``)."""
    middle_tables_shared: Tables = 0
    """Middle page tables that they share, each with all of its leaf tables."""
    frames_copied: Frames = 0
    """Frames copied at once (``eager``)."""
    eager_copies: Frames = 0
    """Frames that ``eager`` copies, whatever the policy."""
    ptes_written: Ptes = 0
    """PTEs written for the fork, in the tables of both processes."""
    shares_memory: bool = False
    """A vfork: the child uses the parent's memory; nothing is shared copy-on-write or copied."""
    left_out: list[Range] = []
    """Ranges of the parent that the child does not have (MADV_DONTFORK)."""
    wiped: list[Range] = []
    """Ranges that the child has without their pages (MADV_WIPEONFORK)."""
    not_copied: list[Range] = []
    """Ranges without private pages: the PTEs are not copied, and the child's own faults find the
    pages."""


class Exit(Record, tag="exit", kw_only=True):
    """A process has ended and its memory is released."""

    pid: Pid
    """The process."""
    status: Small
    """Exit status as in a shell: 128 + signal if a signal killed it."""


class Call(Record, tag="call", kw_only=True):
    """A system call that ended."""

    pid: Pid
    """The process."""
    tid: Pid
    """The thread."""
    name: Text
    """Name, such as ``openat``; ``syscall_N`` for a number that emu does not know."""
    arguments: list[Word]
    """a0 to a5, unsigned."""
    result: int | None
    """a0 after the call: negative for -errno; null if the call does not return."""
    began: Nanoseconds
    """Time at which the call began."""


class Signal(Record, tag="signal", kw_only=True):
    """A signal was delivered."""

    pid: Pid
    """The process."""
    tid: Pid
    """The thread."""
    signal: Text
    """Name, such as ``SIGUSR1``."""


class End(Record, tag="end", kw_only=True):
    """The last record."""

    summary: dict[str, Any]
    """The kernel's counters, as ``emu run --summary=json`` prints them."""


AnyRecord: TypeAlias = (
    Start
    | Exec
    | Fork
    | Exit
    | Map
    | Unmap
    | Move
    | Clear
    | PageSize
    | Page
    | Fault
    | CopyEnd
    | Call
    | Signal
    | Sample
    | End
)

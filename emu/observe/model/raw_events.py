"""Raw events: what a recorder emits during a run, with as little work as possible on the machine's
side.

A raw event is self-contained. :class:`emu.observe.record.record_builder.RecordBuilder` makes
records of raw events and adds names, lines, callers and instructions as text, later or in another
process while the program runs. :func:`encoder` and :func:`decoder` serialise them (MessagePack).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec

from emu.observe.model.records import AnyRecord, Range


class _RawEvent(msgspec.Struct, array_like=True, gc=False):
    """Base of raw events. They may come in any order, but a layout or an image precedes references
    to it.
    """


class Mapped(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A mapped range [start, end) of a file's code, which starts at byte ``offset`` of the file."""

    start: int
    end: int
    offset: int
    image: int
    name: str


class DebugFile(msgspec.Struct, array_like=True, gc=False):
    """A separate file with debug information of an image: ``linked``, ``shared`` or ``split``.

    A linked file is stored whole, in ``content``; of the others, the required ``sections``, by name
    without ``.debug_`` and ``.dwo``.
    """

    kind: str
    content: bytes = b""
    sections: dict[str, bytes] = {}


class ImageFile(_RawEvent, tag="image"):
    """The content of a file with mapped code, and of the files with its debug information."""

    number: int
    content: bytes
    debug: list[DebugFile] = []


class Layout(_RawEvent, tag="layout"):
    """The files whose code is mapped, and their ranges: all that the meaning of a code address
    depends on.
    """

    number: int
    ranges: list[Mapped]


class CodeReleased(_RawEvent, tag="released"):
    """An image or a layout is not referenced by later events."""

    number: int


class SharedSlice(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Bytes [start, end) of memory that the receiver provides."""

    start: int
    end: int


class CodeLocation(msgspec.Struct, array_like=True, gc=False):
    """The position of a thread: a pc, 0 if there is none, and the data for finding its callers.

    ``calls`` are the return addresses if they are known. Otherwise ``stack`` is the content of the
    stack from sp on, ``registers`` are x0 to x31, 64 bits each, and ``sigreturn`` is the address
    that signal handlers return to. A stack of type :class:`SharedSlice` is valid until the next
    event. ``image`` names the mapping of ``pc`` if it is not a file's. ``backtrace`` is the number
    of a known backtrace, which takes the place of all these, 0 for none.
    """

    layout: int
    pc: int
    calls: list[int] | None = None
    image: str = ""
    registers: bytes = b""
    stack: bytes | SharedSlice = b""
    sigreturn: int | None = None
    backtrace: int = 0


class RecordEvent(_RawEvent, tag="record"):
    """A record without its place and callers, which ``where`` gives."""

    record: AnyRecord
    where: CodeLocation | None = None


class CopyRetired(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A copied page at its end: the fault that copied it, and the number of bytes that changed."""

    fault: int
    pid: int
    address: int
    changed: int


class CopiesRetired(_RawEvent, tag="copies"):
    """Copied pages that end at the same time: a record for each, numbered from ``seq`` on."""

    seq: int
    time: int
    why: str
    pages: list[CopyRetired]


class RangeDefined(_RawEvent, tag="range"):
    """The range that ``number`` stands for in the rows of faults that follow."""

    number: int
    range: Range


class FaultDetails(_RawEvent, tag="details"):
    """Fields for which the next row of a fault has no place: see :class:`Fault`."""

    where: CodeLocation | None
    call: str
    heap: CodeLocation | None


class Rows(_RawEvent, tag="rows"):
    """Rows of faults (:mod:`emu.observe.model.fault_row`) in the receiver's memory, from the word
    ``start`` on.
    """

    start: int
    number: int


class RangeResolved(_RawEvent, tag="located"):
    """The range [start, end) that a filter's symbol resolved to."""

    start: int
    end: int


class Fault(msgspec.Struct, gc=False):
    """A page fault, read from its row, with the fields of :class:`emu.observe.model.records.Fault`.

    ``walk`` has an address and a PTE for each level. ``code`` is the instruction's encoding, -1 if
    it cannot be fetched, None for a fault of the kernel. With ``inexact``, ``stval`` is only the
    page's address; the exact one follows from the instruction and the registers.
    """

    seq: int
    time: int
    pid: int
    tid: int
    where: CodeLocation
    code: int | None
    access: int
    cause: int
    stval: int
    inexact: bool
    outcome: str
    rule: str
    call: str
    loading: bool
    vma: Range | None
    table_copied: bool
    middle_copied: bool
    huge: bool
    split: bool
    walk: tuple[int, ...]
    pte_before: int
    pte_after: int
    count_before: int
    count_after: int
    around: list[tuple[int, int]] | None
    sharers: list[tuple[int, int]]
    heap: CodeLocation | None
    host_ns: int


RawEvent: TypeAlias = (
    RecordEvent
    | CopiesRetired
    | Layout
    | ImageFile
    | CodeReleased
    | RangeResolved
    | RangeDefined
    | FaultDetails
    | Rows
)


class EventReceiver(Protocol):
    """The receiver of a recorder's events."""

    def receive(self, fact: RawEvent) -> None:
        """Handles the next event."""

    def store_stack(self, parts: list[memoryview]) -> bytes | SharedSlice:
        """Stores the content of a stack for the next event that has a ``where``."""


_ARRAY = b"\xdd"
"""Header of an array with a 32-bit length (MessagePack specification, "Array format family")."""


def encoder() -> Callable[[RawEvent, bytearray, int], None]:
    """Returns a function that encodes an event into a buffer at an offset; -1 appends."""
    return msgspec.msgpack.Encoder().encode_into


def start_of(count: int) -> bytes:
    """The bytes that precede ``count`` encoded events, for :func:`decoder`."""
    return _ARRAY + count.to_bytes(4, "big")


def decoder() -> Callable[[bytes], list[RawEvent]]:
    """Returns a function that decodes such bytes to events."""
    return msgspec.msgpack.Decoder(list[RawEvent]).decode

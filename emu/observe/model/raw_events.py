"""What a recorder tells of a run as it happens: as little as the machine itself must be asked.

Facts stand for themselves: what a record says beyond them (names, lines, callers, instructions as
text) is made of them by :class:`emu.observe.record.record_builder.RecordBuilder`, later or in
another process, while the program runs on. :func:`encoder` and :func:`decoder` bring them there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec

from emu.observe.model.records import AnyRecord, Range


class _RawEvent(msgspec.Struct, array_like=True, gc=False):
    """All kinds of facts may come in any order; a layout or an image comes before it is meant."""


class Mapped(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A range of a file's code, [start, end): from its byte ``offset`` on."""

    start: int
    end: int
    offset: int
    image: int
    name: str


class DebugFile(msgspec.Struct, array_like=True, gc=False):
    """A file beside an image, with debug information of it: ``linked``, ``shared`` or ``split``.

    A linked file is there whole, as if it were the image's; of the others those ``sections`` are
    that are wanted, by their names without ``.debug_`` and ``.dwo``.
    """

    kind: str
    content: bytes = b""
    sections: dict[str, bytes] = {}


class ImageFile(_RawEvent, tag="image"):
    """A file that has code mapped, whole, and those with its debug information."""

    number: int
    content: bytes
    debug: list[DebugFile] = []


class Layout(_RawEvent, tag="layout"):
    """Which files have code mapped where: what an address of code means depends on nothing else."""

    number: int
    ranges: list[Mapped]


class CodeReleased(_RawEvent, tag="forgotten"):
    """An image or a layout is not meant any more."""

    number: int


class SharedSlice(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Bytes [start, end) of memory that a receiver has set aside."""

    start: int
    end: int


class CodeLocation(msgspec.Struct, array_like=True, gc=False):
    """Where a thread was: a pc, 0 for nowhere, and what its callers are found from.

    That is ``calls``, the return addresses, where they are known; else what the stack held from sp
    on, and where signal handlers return to. ``registers`` are x0 to x31, 64 bits each, or nothing.
    A stack that is :class:`SharedSlice` is one until the next fact is told. ``image`` names the
    range that ``pc`` is in, if that is no file's.
    """

    layout: int
    pc: int
    calls: list[int] | None = None
    image: str = ""
    registers: bytes = b""
    stack: bytes | SharedSlice = b""
    sigreturn: int | None = None


class RecordEvent(_RawEvent, tag="record"):
    """A record, but for the place and the callers that it may have."""

    record: AnyRecord
    where: CodeLocation | None = None


class CopyRetired(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A page, at an address, that a fault had copied: so many of its bytes had changed."""

    fault: int
    pid: int
    address: int
    changed: int


class CopiesRetired(_RawEvent, tag="copies"):
    """Copied pages have come to their end at once: a record for each, from number ``seq`` on."""

    seq: int
    time: int
    why: str
    pages: list[CopyRetired]


class RangeResolved(_RawEvent, tag="located"):
    """[start, end) is what a filter's name stands for."""

    start: int
    end: int


class Fault(_RawEvent, tag="fault"):
    """A page fault. The fields are those of :class:`emu.observe.model.records.Fault`.

    ``walk`` has an address and a PTE for each level; ``code`` the bits of the user's instruction,
    -1 when they can't be fetched. ``stval`` may be the page's address alone, with ``inexact``: the
    instruction and the registers tell the rest.
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
    walk: tuple[int, ...]
    pte_before: int
    pte_after: int
    count_before: int
    count_after: int
    sharers: list[tuple[int, int]]
    heap: CodeLocation | None
    host_ns: int


RawEvent: TypeAlias = (
    Fault | RecordEvent | CopiesRetired | Layout | ImageFile | CodeReleased | RangeResolved
)


class EventReceiver(Protocol):
    """Whom a recorder tells facts."""

    def receive(self, fact: RawEvent) -> None:
        """The next one."""

    def store_stack(self, parts: list[memoryview]) -> bytes | SharedSlice:
        """What a stack holds, for the fact that is told next of those that have a ``where``."""


_ARRAY = b"\xdd"
"""Of 32 bits' length, which follows (MessagePack's specification, "Array format family")."""


def encoder() -> Callable[[RawEvent, bytearray, int], None]:
    """A function that puts a fact behind what a buffer has, which -1 says."""
    return msgspec.msgpack.Encoder().encode_into


def start_of(count: int) -> bytes:
    """What comes before that many facts, for :func:`decoder`."""
    return _ARRAY + count.to_bytes(4, "big")


def decoder() -> Callable[[bytes], list[RawEvent]]:
    """A function from such bytes to the facts."""
    return msgspec.msgpack.Decoder(list[RawEvent]).decode

"""A trace as JSON Lines: one record a line. The canonical form; all others can be made from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from emu.observe import records
from emu.observe.records import AnyRecord, Place

_BUFFERED = 1 << 16
_WITH_CALLERS = (records.Fault, records.Fork)
_NONE: list[Place] = []


class NotATrace(Exception):
    """A file has something else than records of this schema; the message says what, in a line."""


class JsonLines:
    """A sink that writes to ``file``. OSError comes from a write, not later than ``close``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._encode = msgspec.json.Encoder().encode_into
        self._buffer = bytearray()
        self._stacks: dict[int, tuple[int, list[Place]]] = {}
        """By identity: a recorder has the same list for the same callers."""

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, _WITH_CALLERS) and record.backtrace:
            self._write_with_stack(record)
        else:
            self._write(record)
        if len(self._buffer) > _BUFFERED:
            self._flush()

    def _write(self, record: AnyRecord | records.Stack) -> None:
        self._encode(record, self._buffer, -1)
        self._buffer.append(10)

    def _write_with_stack(self, record: records.Fault | records.Fork) -> None:
        """The callers have a line of their own, once: few stacks make most of the faults."""
        places = record.backtrace
        known = self._stacks.get(id(places))
        if known is None:
            known = self._stacks[id(places)] = len(self._stacks) + 1, places
            self._write(records.Stack(*known))
        record.stack, record.backtrace = known[0], _NONE
        self._write(record)
        record.stack, record.backtrace = 0, places

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        self._file.write(self._buffer)
        self._buffer.clear()


def read_trace(file: BinaryIO) -> Iterator[AnyRecord]:
    """The records of a file in turn. Raises :class:`NotATrace`; a cut-off last line is left out."""
    stacks: dict[int, list[Place]] = {}
    first = True
    for record in _lines(file):
        if isinstance(record, records.Stack):
            stacks[record.number] = record.places
            continue
        if first and not isinstance(record, records.Start):
            raise NotATrace("it does not begin with a start record")
        if isinstance(record, records.Start) and record.schema != records.SCHEMA:
            raise NotATrace(f"it has schema {record.schema}, and this emu reads {records.SCHEMA}")
        if isinstance(record, _WITH_CALLERS) and record.stack:
            record.backtrace = stacks.get(record.stack, [])
            record.stack = 0
        first = False
        yield record
    if first:
        raise NotATrace("it is empty")


def _lines(file: BinaryIO) -> Iterator[AnyRecord | records.Stack]:
    decode = msgspec.json.Decoder(AnyRecord | records.Stack).decode
    for number, line in enumerate(file, 1):
        try:
            yield decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if line.endswith(b"\n") or number == 1:
                raise NotATrace(f"line {number} is no record of a trace: {error}") from None
            return

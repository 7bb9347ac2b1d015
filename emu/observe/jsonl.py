"""A trace as JSON Lines: one record a line. The canonical form; all others can be made from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from emu.observe import records
from emu.observe.records import AnyRecord

_BUFFERED = 1 << 16


class NotATrace(Exception):
    """A file has something else than records of this schema; the message says what, in a line."""


class JsonLines:
    """A sink that writes to ``file``. OSError comes from a write, not later than ``close``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._encode = msgspec.json.Encoder().encode_into
        self._buffer = bytearray()

    def __call__(self, record: AnyRecord) -> None:
        buffer = self._buffer
        self._encode(record, buffer, -1)
        buffer.append(10)
        if len(buffer) > _BUFFERED:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        self._file.write(self._buffer)
        self._buffer.clear()


def read_trace(file: BinaryIO) -> Iterator[AnyRecord]:
    """The records of a file in turn. Raises :class:`NotATrace`; a cut-off last line is left out."""
    decode = msgspec.json.Decoder(AnyRecord).decode
    first = True
    for number, line in enumerate(file, 1):
        try:
            record = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if line.endswith(b"\n") or first:
                raise NotATrace(f"line {number} is no record of a trace: {error}") from None
            return
        if first and not isinstance(record, records.Start):
            raise NotATrace("it does not begin with a start record")
        if isinstance(record, records.Start) and record.schema != records.SCHEMA:
            raise NotATrace(f"it has schema {record.schema}, and this emu reads {records.SCHEMA}")
        first = False
        yield record
    if first:
        raise NotATrace("it is empty")

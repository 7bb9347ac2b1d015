"""A trace as JSON Lines, one record per line: the canonical format, from which all others can be
generated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO, Literal

import msgspec

from emu.observe.formats import schema_1
from emu.observe.formats.trace_checks import InvalidRecord, TraceChecks
from emu.observe.formats.trace_reader import (
    LONGEST_LINE,
    TooLong,
    bounded_lines,
    escape_unprintable,
)
from emu.observe.model import records
from emu.observe.model.bounds import Count
from emu.observe.model.records import AnyRecord, SourceLocation, text

_BUFFERED = 1 << 16
_WITH_CALLERS = (records.Fault, records.Fork)
_NONE: list[SourceLocation] = []
_LONGEST_REASON = 300


class NotATrace(Exception):
    """The file is not a valid trace; the message gives the reason in one line."""


class JsonLines:
    """A sink that writes to ``file``. Writing and ``close`` raise OSError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._encode = msgspec.json.Encoder().encode_into
        self._buffer = bytearray()
        self._stacks: dict[int, tuple[int, list[SourceLocation]]] = {}
        """By identity: a recorder passes the same list for the same callers."""

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
        """Writes the callers once, as a separate line: most faults have one of a few stacks."""
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
    """Yields the checked records of a trace from an untrusted file, with its texts escaped.

    Records of an earlier schema become those of the current one. An incomplete last line is
    ignored. Raises :class:`NotATrace`, whose message names the line.
    """
    check = TraceChecks()
    first = True
    for number, record in _lines(file):
        try:
            if isinstance(record, records.Stack):
                check.stack(record)
                continue
            if first:
                _check_start(record)
                first = False
            check(record)
        except InvalidRecord as error:
            raise NotATrace(f"line {number} is not a valid record of this trace: {error}") from None
        yield record
    if first:
        raise NotATrace("empty file")


def _check_start(record: AnyRecord) -> None:
    if not isinstance(record, records.Start):
        raise NotATrace("no start record at the beginning")
    if record.schema != records.SCHEMA:
        raise _another_schema(record.schema)


def _another_schema(schema: int) -> NotATrace:
    known = f"{schema_1.NUMBER} or {records.SCHEMA}"
    return NotATrace(f"unknown schema {schema} (expected {known})")


def _lines(file: BinaryIO) -> Iterator[tuple[int, AnyRecord | records.Stack]]:
    decode: Callable[[bytes], AnyRecord | records.Stack]
    decode = msgspec.json.Decoder(AnyRecord | records.Stack).decode
    number = 0
    try:
        for line in bounded_lines(file):
            number += 1
            try:
                record = decode(escape_unprintable(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                if line.endswith(b"\n") or number == 1:
                    raise _no_record(line, number, error) from None
                return
            if isinstance(record, records.Start) and record.schema == schema_1.NUMBER:
                decode, record.schema = schema_1.decode, records.SCHEMA
            yield number, record
    except TooLong:
        raise NotATrace(
            f"line {number + 1} is not a trace record: it is longer than {LONGEST_LINE >> 20} MiB"
        ) from None


class _Schema(msgspec.Struct):
    """The fields of a start record in every schema."""

    event: Literal["start"]
    schema: Count


def _no_record(line: bytes, number: int, error: Exception) -> NotATrace:
    """The error for an invalid line. The decoder's message may quote the line, so it is escaped."""
    if number == 1:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            schema = msgspec.json.decode(line, type=_Schema).schema
            if schema not in (schema_1.NUMBER, records.SCHEMA):
                return _another_schema(schema)
    reason = "it is nested too deep" if isinstance(error, RecursionError) else text(str(error))
    return NotATrace(f"line {number} is not a trace record: {reason[:_LONGEST_REASON]}")

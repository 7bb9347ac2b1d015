"""The lines of a trace that anybody may have written: bounded, and harmless to a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from emu.observe.records import text

LONGEST_LINE = 32 << 20
"""Bytes: a start record with as long a command as Linux takes, every byte escaped, is shorter."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TooLong(Exception):
    """A line is longer than any record."""


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines, of which never more than one is in memory. Raises :class:`TooLong`."""
    line = file.readline(LONGEST_LINE + 1).removeprefix(_BYTE_ORDER_MARK)
    while line:
        if len(line) > LONGEST_LINE:
            raise TooLong
        yield line
        line = file.readline(LONGEST_LINE + 1)


def harmless(line: bytes) -> bytes:
    """The JSON with its texts as a recorder writes them: what is not printable is escaped.

    Raises what the decoder does. Nearly all lines are seen to be so without being decoded.
    """
    return line if _is_harmless(line) else msgspec.json.encode(_escaped(msgspec.json.decode(line)))


def _is_harmless(line: bytes) -> bool:
    """Control characters can be in a JSON text only by an escape, but for DEL."""
    if b"\\" in line and b"\\" in line.replace(b"\\\\", b"").replace(b'\\"', b""):
        return False
    if line.isascii():
        return b"\x7f" not in line
    try:
        return line.decode().rstrip("\r\n").isprintable()
    except UnicodeDecodeError:
        return False


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    if isinstance(value, dict):
        return {text(key): _escaped(each) for key, each in value.items()}
    return value

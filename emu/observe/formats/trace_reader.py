"""Reads the lines of an untrusted trace: bounded in length, and safe to print on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from emu.observe.model.records import text

LONGEST_LINE = 32 << 20
"""Maximum length in bytes: more than a start record with Linux's longest command, all bytes
escaped."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TooLong(Exception):
    """A line is longer than any valid record."""


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yields the lines, of which only one is in memory at a time. Raises :class:`TooLong`."""
    line = file.readline(LONGEST_LINE + 1).removeprefix(_BYTE_ORDER_MARK)
    while line:
        if len(line) > LONGEST_LINE:
            raise TooLong
        yield line
        line = file.readline(LONGEST_LINE + 1)


def escape_unprintable(line: bytes) -> bytes:
    """Escapes what is not printable in the texts of a JSON line, as the recorder does.

    Raises the decoder's exceptions. Most lines are recognised as safe without being decoded.
    """
    return line if _is_printable(line) else msgspec.json.encode(_escape(msgspec.json.decode(line)))


def _is_printable(line: bytes) -> bool:
    """Control characters, except DEL, can be in a JSON text only as an escape."""
    if b"\\" in line and b"\\" in line.replace(b"\\\\", b"").replace(b'\\"', b""):
        return False
    if line.isascii():
        return b"\x7f" not in line
    try:
        return line.decode().rstrip("\r\n").isprintable()
    except UnicodeDecodeError:
        return False


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [_escape(each) for each in value]
    if isinstance(value, dict):
        return {text(key): _escape(each) for key, each in value.items()}
    return value

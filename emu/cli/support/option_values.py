"""Values of options: integers in a range, sizes of memory; for argparse."""

from __future__ import annotations

import argparse
import re

from emu.sizes import LARGEST, parse_size

_SMALLEST = 1 << 20
_MOST = 1 << 30
_LAST_PORT = 65_535
_LAST_ID = (1 << 32) - 2
_INTEGER = re.compile(r"([+-]?)0*([0-9]+)")


def count(text: str) -> int:
    """An integer from 1 to 2^30."""
    return _integer(text, 1)


def count_or_zero(text: str) -> int:
    """An integer from 0 to 2^30."""
    return _integer(text, 0)


def _integer(text: str, least: int) -> int:
    expected = f"(expected {least} to {_MOST})"
    match = _INTEGER.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: not an integer {expected}")
    # int() rejects thousands of digits.
    value = int(match[1] + match[2]) if len(match[2]) <= len(str(_MOST)) else -1
    if not least <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r}: out of range {expected}")
    return value


def memory_size(text: str) -> int:
    """Bytes of ``64M``, ``2G`` or ``1048576``, rounded up to whole pages."""
    try:
        size = parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not _SMALLEST <= size <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r}: size out of range (expected 1M to 256G)")
    return size


def published_port(text: str) -> tuple[str, int, int]:
    """Address and port of the host, and port of the guest, from ``[ADDR:]PORT:GUESTPORT``."""
    match = re.fullmatch(r"(?:(\[[^\[\]]+\]|[^:\[\]]+):)?([0-9]{1,5}):([0-9]{1,5})", text)
    ports = [int(number) for number in match.groups()[1:]] if match else [-1, -1]
    if match is None or not (0 <= ports[0] <= _LAST_PORT and 0 < ports[1] <= _LAST_PORT):
        expected = "[ADDR:]PORT:GUESTPORT with ports up to 65535"
        raise argparse.ArgumentTypeError(f"{text!r}: not a port to publish (expected {expected})")
    return (match[1] or "127.0.0.1").strip("[]"), ports[0], ports[1]


def user_and_group(text: str) -> tuple[int, int]:
    """User and group ID from ``UID[:GID]``."""
    match = re.fullmatch(r"([0-9]{1,10})(?::([0-9]{1,10}))?", text)
    ids = (int(match[1]), int(match[2] or match[1])) if match else (_LAST_ID + 1, 0)
    if max(ids) > _LAST_ID:
        raise argparse.ArgumentTypeError(f"{text!r}: not a user (expected UID[:GID] in numbers)")
    return ids

"""Conversion of riscv64 Linux's struct termios (termbits.h) from and to the host's settings.

Bits and characters are matched by name, since their numbers on the host may differ.
"""

from __future__ import annotations

import struct
import termios
from typing import Any

IFLAGS = {
    "IGNBRK": 1, "BRKINT": 2, "IGNPAR": 4, "PARMRK": 8, "INPCK": 0x10, "ISTRIP": 0x20,
    "INLCR": 0x40, "IGNCR": 0x80, "ICRNL": 0x100, "IXON": 0x400, "IXANY": 0x800,
    "IXOFF": 0x1000, "IMAXBEL": 0x2000, "IUTF8": 0x4000,
}  # fmt: skip
OFLAGS = {"OPOST": 1, "ONLCR": 4, "OCRNL": 8, "ONOCR": 0x10, "ONLRET": 0x20, "OFILL": 0x40}
CFLAGS = {
    "CS6": 0x10, "CS7": 0x20, "CS8": 0x30, "CSTOPB": 0x40, "CREAD": 0x80, "PARENB": 0x100,
    "PARODD": 0x200, "HUPCL": 0x400, "CLOCAL": 0x800,
}  # fmt: skip
LFLAGS = {
    "ISIG": 1, "ICANON": 2, "ECHO": 8, "ECHOE": 0x10, "ECHOK": 0x20, "ECHONL": 0x40,
    "NOFLSH": 0x80, "TOSTOP": 0x100, "ECHOCTL": 0x200, "ECHOPRT": 0x400, "ECHOKE": 0x800,
    "PENDIN": 0x4000, "IEXTEN": 0x8000,
}  # fmt: skip
CHARACTERS = (
    "VINTR", "VQUIT", "VERASE", "VKILL", "VEOF", "VTIME", "VMIN", "VSWTC", "VSTART", "VSTOP",
    "VSUSP", "VEOL", "VREPRINT", "VDISCARD", "VWERASE", "VLNEXT", "VEOL2",
)  # fmt: skip
B38400 = 0o17
"""The speed reported to a guest, which cannot change the host's."""

_TERMIOS = struct.Struct("<4IB19s")
SIZE = _TERMIOS.size
"""36 bytes."""

Attributes = list[Any]
"""Result of termios.tcgetattr: iflag, oflag, cflag, lflag, two speeds, characters."""


def pack(host: Attributes) -> bytes:
    """Converts the host's settings to the guest's struct termios."""
    flags = [
        _to_guest(table, value)
        for table, value in zip((IFLAGS, OFLAGS, CFLAGS, LFLAGS), host[:4], strict=True)
    ]
    flags[2] |= B38400
    characters = bytearray(19)
    for index, name in enumerate(CHARACTERS):
        number = getattr(termios, name, None)
        if number is not None:
            value = host[6][number]
            characters[index] = value if isinstance(value, int) else value[0]
    return _TERMIOS.pack(*flags, 0, bytes(characters))


def unpack(raw: bytes, host: Attributes) -> Attributes:
    """Returns the host's settings, changed according to the guest's struct termios."""
    *flags, _line, characters = _TERMIOS.unpack(raw[:SIZE])
    tables = (IFLAGS, OFLAGS, CFLAGS, LFLAGS)
    changed: Attributes = [
        _to_host(table, guest, value)
        for table, guest, value in zip(tables, flags, host[:4], strict=True)
    ]
    values = list(host[6])
    for index, name in enumerate(CHARACTERS):
        number = getattr(termios, name, None)
        if number is not None:
            values[number] = bytes([characters[index]])
    if not flags[3] & LFLAGS["ICANON"]:
        for name in ("VMIN", "VTIME"):
            number = getattr(termios, name)
            values[number] = values[number][0]
    return [*changed, host[4], host[5], values]


def _to_guest(table: dict[str, int], host: int) -> int:
    guest = 0
    for name, value in table.items():
        bits = getattr(termios, name, 0)
        if bits and host & bits == bits:
            guest |= value
    return guest


def _to_host(table: dict[str, int], guest: int, host: int) -> int:
    for name in table:
        host &= ~getattr(termios, name, 0)
    for name, value in table.items():
        if guest & value == value:
            host |= getattr(termios, name, 0)
    return host

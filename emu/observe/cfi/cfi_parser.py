"""Parser of the CIEs and FDEs of an .eh_frame or a .debug_frame.

LSB Core 5.0, "Exception Frames" (.eh_frame); DWARF 5, section 6.4 (.debug_frame). The bytes may be
damaged: every reader raises Damaged, and checks each length that they contain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emu import leb128
from emu.machine.registers import RA

OMITTED = 0xFF
LARGEST_ENTRY = 1 << 14
_MASK = (1 << 64) - 1
_MOST_CIES = 64

_LONG = 0xFFFF_FFFF
"""Value of the length field if the length follows in eight bytes."""
_SIZES = {0: 8, 2: 2, 3: 4, 4: 8, 0xA: 2, 0xB: 4, 0xC: 8}
PCREL, DATAREL, _ALIGNED, _INDIRECT = 0x10, 0x30, 0x50, 0x80


class Damaged(Exception):
    """The bytes are invalid, or use an unsupported feature."""


class Cursor:
    """Sequential reader of numbers; ``base`` is the address of the first byte."""

    __slots__ = ("at", "base", "data")

    def __init__(self, data: bytes, base: int = 0) -> None:
        self.data, self.base, self.at = data, base, 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        at, end = self.at, self.at + count
        if end > len(self.data):
            raise Damaged
        self.at = end
        return self.data[at:end]

    def byte(self) -> int:
        at = self.at
        if at >= len(self.data):
            raise Damaged
        self.at = at + 1
        return self.data[at]

    def fixed(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def leb(self, *, signed: bool = False) -> int:
        try:
            value, self.at = leb128.decode(self.data, self.at, signed=signed)
        except ValueError:
            raise Damaged from None
        return value

    def text(self) -> bytes:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise Damaged
        return self.take(end + 1 - self.at)[:-1]

    def value(self, encoding: int) -> int:
        """A number in the format of a pointer encoding, without adding its base."""
        form = encoding & 0xF
        if form in (1, 9):
            return self.leb(signed=form == 9)
        if form not in _SIZES:
            raise Damaged
        return self.fixed(_SIZES[form], signed=form > 9)

    def pointer(self, encoding: int, datarel: int | None = None) -> int:
        """An encoded pointer (LSB, "DWARF Exception Header Encoding")."""
        relative = encoding & 0xF0
        if relative == PCREL:
            return self.base + self.at + self.value(encoding) & _MASK
        if relative == 0:
            return self.value(encoding) & _MASK
        if relative == DATAREL and datarel is not None:
            return datarel + self.value(encoding) & _MASK
        if encoding != _ALIGNED:
            raise Damaged
        self.take(-(self.base + self.at) % 8)
        return self.fixed(8)


class Cie(NamedTuple):
    """Common information entry of FDEs; ``program`` has the initial instructions of theirs."""

    code_factor: int
    data_factor: int
    encoding: int
    augmented: bool
    program: bytes


class Fde(NamedTuple):
    """Frame description entry of the addresses from ``start`` to ``end``, excluded."""

    cie: Cie
    start: int
    end: int
    program: bytes
    program_base: int


class Frames:
    """One .eh_frame or .debug_frame; ``read(address, count)`` returns its bytes.

    Addresses are virtual addresses, or offsets in a .debug_frame, which is not loaded.
    """

    def __init__(self, read: Callable[[int, int], bytes], *, exceptions: bool) -> None:
        self._read = read
        self._exceptions = exceptions
        self._cies: dict[int, Cie] = {}

    def extent(self, address: int) -> tuple[int, int, int]:
        """Start and end of an entry's body, and the size of its CIE id field (0: terminator)."""
        head = self._read(address, 12)
        length = int.from_bytes(head[:4], "little")
        if len(head) < 4 or (length == _LONG and len(head) < 12):
            raise Damaged
        if length != _LONG:
            return address + 4, address + 4 + length, 4 if length else 0
        length = int.from_bytes(head[4:], "little")
        return address + 12, address + 12 + length, 4 if self._exceptions else 8

    def fde(self, address: int) -> Fde | None:
        """The FDE at an address; None for a CIE."""
        body, where = self._entry(address)
        if where is None:
            return None
        cie = self._cie(where)
        start = body.pointer(cie.encoding)
        end = start + body.value(cie.encoding & 0xF)
        if cie.augmented:
            body.take(body.leb())
        return Fde(cie, start, end, body.data[body.at :], body.base + body.at)

    def _entry(self, address: int) -> tuple[Cursor, int | None]:
        """An entry's bytes after its id, and the address of its CIE; None if it is a CIE."""
        start, end, size = self.extent(address)
        if not size or end - start > LARGEST_ENTRY:
            raise Damaged
        body = Cursor(self._read(start, end - start), start)
        if body.left < end - start:
            raise Damaged
        number = body.fixed(size)
        if self._exceptions:
            return body, start - number if number else None
        return body, None if number == (1 << 8 * size) - 1 else number

    def _cie(self, address: int) -> Cie:
        cie = self._cies.get(address)
        if cie is None:
            body, other = self._entry(address)
            if other is not None:
                raise Damaged
            if len(self._cies) >= _MOST_CIES:
                self._cies.clear()
            cie = self._cies[address] = _parse_cie(body)
        return cie


def _parse_cie(body: Cursor) -> Cie:
    version = body.fixed(1)
    augmentation = body.text()
    if version not in (1, 3, 4) or augmentation[:1] not in (b"", b"z"):
        raise Damaged
    if version == 4 and body.take(2) != b"\x08\x00":
        raise Damaged
    code_factor, data_factor = body.leb(), body.leb(signed=True)
    return_column = body.fixed(1) if version == 1 else body.leb()
    if return_column != RA:
        raise Damaged
    encoding = 0
    if augmentation:
        data = Cursor(body.data[: body.leb() + body.at], body.base)
        data.at = body.at
        encoding = _fde_encoding(augmentation[1:], data)
        body.take(len(data.data) - body.at)
    program = body.data[body.at :]
    return Cie(code_factor, data_factor, encoding, bool(augmentation), program)


def _fde_encoding(letters: bytes, data: Cursor) -> int:
    encoding = 0
    for letter in letters:
        match chr(letter):
            case "R":
                encoding = data.fixed(1)
            case "L":
                data.fixed(1)
            case "P":
                form = data.fixed(1)
                data.pointer(form & _ALIGNED if form & 0x70 == _ALIGNED else form & 0xF)
            case "S" | "B":
                pass
            case _:
                raise Damaged
    if encoding & _INDIRECT:
        raise Damaged
    return encoding

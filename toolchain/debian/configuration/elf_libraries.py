"""Names by which the dynamic linker knows shared libraries (DT_SONAME)."""

from __future__ import annotations

import os
import struct
from typing import IO, NamedTuple

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<qQ")
_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little endian
_RISCV, _SHARED = 243, 3
_FLOAT_ABI, _DOUBLE = 0x6, 0x4  # of e_flags (RISC-V ELF psABI)
_LOAD, _DYNAMIC = 1, 2
_STRTAB, _SONAME = 5, 14
_MAX_SEGMENTS, _MAX_DYNAMIC, _MAX_NAME = 256, 1 << 16, 255


class Library(NamedTuple):
    soname: str | None
    double_floats: bool
    """Passes `double` in registers: the ABI lp64d."""


def read_library(path: str) -> Library | None:
    """The shared library in a file; None for any other file, also a damaged one."""
    try:
        with open(path, "rb") as file:
            return _read(file)
    except (OSError, struct.error, OverflowError):
        return None


def _read(file: IO[bytes]) -> Library | None:
    ident, kind, machine, _, _, at, _, flags, _, size, count, *_ = _HEADER.unpack(
        file.read(_HEADER.size)
    )
    if not ident.startswith(_MAGIC) or (kind, machine) != (_SHARED, _RISCV):
        return None
    if size != _SEGMENT.size or count > _MAX_SEGMENTS:
        return None
    file.seek(at)
    segments = list(_SEGMENT.iter_unpack(file.read(size * count)))
    found: dict[int, int] = {}
    for segment in segments:
        if segment[0] == _DYNAMIC:
            file.seek(segment[2])
            content = file.read(min(segment[5], _MAX_DYNAMIC))
            found = dict(_ENTRY.iter_unpack(content[: len(content) // 16 * 16]))
    soname = None
    if _SONAME in found and _STRTAB in found:
        soname = _string(file, segments, found[_STRTAB] + found[_SONAME])
    return Library(soname, flags & _FLOAT_ABI == _DOUBLE)


def _string(file: IO[bytes], segments: list[tuple[int, ...]], address: int) -> str | None:
    """The name at an address of the loaded library."""
    for kind, _, offset, start, _, size, *_ in segments:
        if kind == _LOAD and start <= address < start + size:
            file.seek(offset + address - start)
            text, end, _ = file.read(_MAX_NAME + 1).partition(b"\0")
            return os.fsdecode(text) if end and text and b"/" not in text else None
    return None

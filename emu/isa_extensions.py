"""Finds the ISA extensions that a program was built for and the machine does not have.

RISC-V ELF psABI, "Attributes": Tag_RISCV_arch in .riscv.attributes. A damaged file yields no
names.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import islice

from emu import leb128
from kernel.base.elf_headers import (
    Read,
    content,
    program_headers,
    read_header,
    section_headers,
)

_EXECUTED = "i m a f d c g zicsr zifencei zmmul zaamo zalrsc zca zcd zicntr"
_PROMISES = "ziccif ziccrse ziccamoa zicclsm za64rs za128rs zic64b ztso"
_HINTS = "zihintpause zihintntl zicbop"
_HAS = frozenset(f"{_EXECUTED} {_PROMISES} {_HINTS}".split())
_ATTRIBUTES = 0x7000_0003
"""PT_RISCV_ATTRIBUTES and SHT_RISCV_ATTRIBUTES."""
_MOST_ATTRIBUTES, _LARGEST = 4, 1 << 14
_FILE, _ARCH = 1, 5
_VERSION = re.compile(r"\d+(p\d+)?$")
_LONG = re.compile(r"[sxz][a-z]")
_LETTER = re.compile(r"([a-y])(\d+(?:p\d+)?)?")


def missing_extensions(read: Read) -> set[str]:
    """Names of the missing unprivileged extensions of the ELF file that ``read`` reads."""
    try:
        sections = islice(_sections(read), _MOST_ATTRIBUTES)
        arch = next((text for data in sections for text in _arches(data)), "")
    except (struct.error, ValueError, IndexError):
        return set()
    return {name for name in _names(arch) if name not in _HAS and not _is_privileged(name)}


def _is_privileged(name: str) -> bool:
    return name == "h" or (name[0] == "s" and len(name) > 1)


def _sections(read: Read) -> Iterator[bytes]:
    """Attribute sections of the file: from a segment, or from a section (older linkers)."""
    header = read_header(read)
    places = [
        *((each.type, each.offset, each.file_size) for each in program_headers(read, header)),
        *((each.type, each.offset, each.size) for each in section_headers(read, header)),
    ]
    for kind, offset, size in places:
        if kind == _ATTRIBUTES:
            yield content(read, offset, min(size, _LARGEST))


def _arches(data: bytes) -> Iterator[str]:
    """Values of Tag_RISCV_arch of the vendor "riscv" for the whole file."""
    at = 1
    while data[:1] == b"A" and at + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, at)
        vendor, _, rest = data[at + 4 : at + length].partition(b"\0")
        if vendor == b"riscv" and rest[:1] == bytes([_FILE]):
            yield from _arch(rest[5 : struct.unpack_from("<I", rest, 1)[0]])
        at += max(length, 4)


def _arch(data: bytes) -> Iterator[str]:
    at = 0
    while at < len(data):
        tag, at = leb128.decode(data, at)
        if tag & 1:
            end = data.index(0, at)
            if tag == _ARCH:
                yield data[at:end].decode("ascii", "replace").lower()
            at = end + 1
        else:
            _, at = leb128.decode(data, at)


def _names(arch: str) -> Iterator[str]:
    """Extension names, such as i, m and zba of ``rv64i2p1_m2p0_zba1p0``."""
    if not re.fullmatch(r"rv(32|64)[a-z0-9_]+", arch):
        return
    for word in arch[4:].split("_"):
        at = 0
        while (letter := _LETTER.match(word, at)) and not _LONG.match(word, at):
            yield letter[1]
            at = letter.end()
        if word[at:]:
            yield _VERSION.sub("", word[at:])

"""Handmade ELF files, with any value in each field."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

HEADER = "<16sHHIQQQIHHHHHH"
FIELDS = ("ident", "type", "machine", "version", "entry", "phoff", "shoff", "flags", "ehsize",
          "phentsize", "phnum", "shentsize", "shnum", "shstrndx")  # fmt: skip
PT_LOAD, PT_INTERP, PT_PHDR, PT_STACK = 1, 3, 6, 0x6474E551
R, W, X = 4, 2, 1
CODE = 0x1_0000
EXIT_7 = bytes.fromhex("130570009308d00573000000")  # li a0, 7; li a7, 93; ecall


@dataclass
class Segment:
    type: int = PT_LOAD
    flags: int = R | X
    offset: int = 0
    address: int = CODE
    file_size: int = 0x1000
    size: int = 0x1000
    align: int = 0x1000

    def encode(self) -> bytes:
        return struct.pack(
            "<IIQQQQQQ", self.type, self.flags, self.offset, self.address, self.address,
            self.file_size, self.size, self.align,
        )  # fmt: skip


@dataclass
class File:
    """A program that by default exits with status 7."""

    segments: list[Segment] = field(default_factory=lambda: [Segment()])
    code: bytes = EXIT_7
    length: int = 0x3000
    header: dict[str, int | bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        table = b"".join(segment.encode() for segment in self.segments)
        values: dict[str, int | bytes] = {
            "ident": b"\x7fELF\x02\x01\x01".ljust(16, b"\0"),
            "type": 2, "machine": 243, "version": 1, "entry": CODE + 0x800, "phoff": 64,
            "shoff": 0, "flags": 5, "ehsize": 64, "phentsize": 56, "phnum": len(self.segments),
            "shentsize": 0, "shnum": 0, "shstrndx": 0, **self.header,
        }  # fmt: skip
        image = bytearray(self.length)
        image[: 64 + len(table)] = struct.pack(HEADER, *(values[name] for name in FIELDS)) + table
        image[0x800 : 0x800 + len(self.code)] = self.code
        return bytes(image[: self.length])

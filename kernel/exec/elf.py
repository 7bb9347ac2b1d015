"""ELF executables for execve(2): header, segments, interpreter (elf(5)).

elf(5). Everything in the file is untrusted: a header that lies is ENOEXEC (or ENOMEM for addresses
that can't be had), as in Linux. Symbols and DWARF, which need more, are read elsewhere with
pyelftools.
"""

from __future__ import annotations

from typing import NamedTuple

from kernel.base.elf_headers import (
    EM_RISCV,
    PROGRAM_HEADER_SIZE,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    PT_PHDR,
    ElfHeader,
    ProgramHeader,
    elf_header,
    program_headers,
)
from kernel.base.errno import EINVAL, ENOEXEC, ENOMEM, error_text
from kernel.base.errors import Errno
from kernel.vfs.core.inode import Inode

NOT_ELF = "not an ELF file (expected a 64-bit RISC-V Linux program)"
_CLASS64, _LITTLE, _VERSION = 2, 1, 1
_ET_EXEC, _ET_DYN = 2, 3
PF_X, PF_W, PF_R = 1, 2, 4
_MOST_SEGMENTS = 64
_LONGEST_INTERPRETER = 4096
_RVE = 0x8


class NotExecutable(Errno):
    """The file cannot be executed; ``reason`` describes why for the user."""

    def __init__(self, reason: str, number: int = ENOEXEC) -> None:
        super().__init__(number)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class InterpreterMissing(NotExecutable):
    """The dynamic linker, or the interpreter of a script's ``#!`` line, cannot be opened."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(f"its interpreter {name}: {error_text(number)}", number)
        self.name = name


class Segment(NamedTuple):
    """One PT_LOAD: ``file_size`` bytes at ``offset`` go to ``address``, zeroes up to ``size``."""

    address: int
    offset: int
    file_size: int
    size: int
    flags: int


class Elf(NamedTuple):
    """A parsed executable. Addresses of a position-independent one are relative to its base."""

    position_independent: bool
    entry: int
    segments: tuple[Segment, ...]
    header_address: int
    """Address of the program headers in memory, 0 when no segment contains them."""
    header_count: int
    interpreter: str | None
    executable_stack: bool

    @property
    def start(self) -> int:
        return min(segment.address for segment in self.segments)

    @property
    def end(self) -> int:
        return max(segment.address + segment.size for segment in self.segments)


def parse(inode: Inode, head: bytes) -> Elf:
    """Reads the headers of an ELF file whose first bytes are ``head``."""
    elf = elf_header(head)
    if elf is None:
        raise NotExecutable(NOT_ELF)
    _check_target(elf)
    size, count = elf.program_header_size, elf.program_header_count
    if size != PROGRAM_HEADER_SIZE:
        raise NotExecutable(f"its program headers have {size} bytes instead of 56")
    if not 1 <= count <= _MOST_SEGMENTS:
        raise NotExecutable(f"it has {count} program headers")
    headers = program_headers(inode.read_at, elf)
    if len(headers) < count:
        raise NotExecutable("its program headers lie beyond the end of the file")
    segments = tuple(_segment(header) for header in headers if header.type == PT_LOAD)
    if not segments:
        raise NotExecutable("it has nothing to load")
    return Elf(
        position_independent=elf.type == _ET_DYN,
        entry=elf.entry,
        segments=segments,
        header_address=_header_address(segments, elf.program_table, headers),
        header_count=count,
        interpreter=_interpreter(inode, headers),
        executable_stack=any(h.type == PT_GNU_STACK and h.flags & PF_X for h in headers),
    )


def _check_target(header: ElfHeader) -> None:
    ident = header.ident
    if ident[4] != _CLASS64:
        raise NotExecutable("it is not a 64-bit program")
    if ident[5] != _LITTLE:
        raise NotExecutable("it is not little-endian")
    if ident[6] != _VERSION:
        raise NotExecutable("its ELF version is unknown")
    if header.machine != EM_RISCV:
        raise NotExecutable(
            f"it is for another architecture (ELF machine {header.machine}), not RISC-V"
        )
    if header.type not in (_ET_EXEC, _ET_DYN):
        raise NotExecutable("it is not an executable (an object file or a core?)")
    if header.flags & _RVE:
        raise NotExecutable("it is for RV64E, which has 16 registers only")


def _segment(header: ProgramHeader) -> Segment:
    _, flags, offset, address, _, file_size, size, _ = header
    if file_size > size:
        raise NotExecutable("a segment is larger in the file than in memory")
    if address + size > 1 << 38:
        raise NotExecutable("a segment lies outside the user's addresses", ENOMEM)
    if offset + file_size > 1 << 62:
        raise NotExecutable("a segment lies beyond the end of the file")
    if file_size and (address ^ offset) & 0xFFF:
        raise NotExecutable("a segment is not aligned to pages", EINVAL)
    return Segment(address, offset, file_size, size, flags)


def _header_address(segments: tuple[Segment, ...], table: int, headers: list[ProgramHeader]) -> int:
    for header in headers:
        if header.type == PT_PHDR:
            return header.address
    for segment in segments:
        if segment.offset <= table < segment.offset + segment.file_size:
            return segment.address + table - segment.offset
    return 0


def _interpreter(inode: Inode, headers: list[ProgramHeader]) -> str | None:
    for kind, _, offset, _, _, size, _, _ in headers:
        if kind != PT_INTERP:
            continue
        if not 2 <= size <= _LONGEST_INTERPRETER or offset > 1 << 62:
            raise NotExecutable("the name of its interpreter has an impossible length")
        name = inode.read_at(offset, size)
        if len(name) < size or name[-1]:
            raise NotExecutable("the name of its interpreter does not end")
        return name.split(b"\0")[0].decode("utf-8", "surrogateescape")
    return None

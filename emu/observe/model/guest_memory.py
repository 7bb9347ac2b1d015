"""Reads a process's memory and mapped files without side effects: no fault, no A bit."""

from __future__ import annotations

from typing import Final

from emu.machine.isa.decoder import instruction_length
from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, V, X, ppn
from emu.observe.model.records import text
from kernel.base.errors import Errno
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.file_pages import FilePages, mapped_file
from kernel.mm.mappings.vma import USER_END
from kernel.vfs.core.inode import Inode

_LARGEST_FILE: Final = 1 << 31
_WORD: Final = 8
_FOUR_BYTES: Final = 3
"""The lowest bits of an instruction of 4 bytes; others have 2."""


def peek(space: AddressSpace, va: int, count: int) -> bytes | None:
    """Reads ``count`` bytes at ``va``; None if one of the pages is not in memory."""
    parts = []
    while count > 0:
        pte = space.table.pte(va) if 0 <= va < USER_END else 0
        if not pte & V:
            return None
        size = min(count, PAGE_SIZE - (va & PAGE_MASK))
        pa = ppn(pte) << PAGE_SHIFT | va & PAGE_MASK
        parts.append(space.frames.ram.read(pa, size))
        va, count = va + size, count - size
    return b"".join(parts)


def peek_ahead(space: AddressSpace, va: int, count: int) -> bytes | None:
    """Reads what loads would read, including from pages that are not in memory yet."""
    parts = []
    while count > 0:
        size = min(count, PAGE_SIZE - (va & PAGE_MASK))
        part = peek(space, va, size)
        if part is None:
            page = _untouched_page(space, va)
            if page is None:
                return None
            part = page[va & PAGE_MASK :][:size]
        parts.append(part)
        va, count = va + size, count - size
    return b"".join(parts)


def _untouched_page(space: AddressSpace, va: int) -> bytes | None:
    vma = space.find(va)
    if vma is None or not vma.prot:
        return None
    if vma.backing is None:
        return bytes(PAGE_SIZE)
    index = vma.index_of(va)
    frame = vma.backing.held().get(index)
    if frame is not None:
        return space.frames.ram.read_frame(frame)
    if not isinstance(vma.backing, FilePages):
        return bytes(PAGE_SIZE)
    data = vma.backing.inode.read_at(index << PAGE_SHIFT, PAGE_SIZE)
    return data.ljust(PAGE_SIZE, b"\0") if data else None


def instruction_bits(space: AddressSpace, pc: int) -> int | None:
    """The 16 or 32 bits of the instruction at ``pc``; None if they cannot be fetched."""
    pte = space.table.pte(pc)
    if pte & (V | X) != V | X:
        return None
    offset = pc & PAGE_MASK
    if offset > PAGE_SIZE - _WORD:
        code = instruction_bytes(space, pc)
        return None if code is None else int.from_bytes(code, "little")
    ram = space.frames.ram
    start = ((ppn(pte) << PAGE_SHIFT) - ram.base + offset) >> 3
    shift = 8 * (offset & 7)
    bits = ram.typed_words[start] >> shift
    if shift > _WORD * 8 - 32:
        bits |= ram.typed_words[start + 1] << _WORD * 8 - shift & 0xFFFFFFFF
    return bits & 0xFFFFFFFF if bits & _FOUR_BYTES == _FOUR_BYTES else bits & 0xFFFF


def instruction_bytes(space: AddressSpace, pc: int) -> bytes | None:
    """The 2 or 4 bytes of the instruction at ``pc``; None if it is not in memory."""
    low = peek(space, pc, 2)
    if low is None or instruction_length(int.from_bytes(low, "little")) == 2:
        return low
    return peek(space, pc, 4)


def file_content(inode: Inode) -> bytes:
    """The file's bytes, at most 2 GiB; empty when it cannot be read."""
    try:
        return inode.read_at(0, min(inode.size, _LARGEST_FILE))
    except Errno:
        return b""


def mapped_file_content(space: AddressSpace, path: str) -> bytes:
    """Content of the file that ``space`` maps under the name ``path``; empty when there is none."""
    for vma in space.vmas:
        inode = mapped_file(vma.backing)
        if inode is not None and text(vma.name) == path:
            return file_content(inode)
    return b""

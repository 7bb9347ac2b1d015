"""Buffers in guest memory, as read(2) and readv(2) name them."""

from __future__ import annotations

import struct

from kernel.base.budget import Cost
from kernel.base.errno import EFAULT, EINVAL
from kernel.base.errors import Errno
from kernel.syscalls.context import SyscallContext
from kernel.vfs.core.caller import Memory
from kernel.vfs.core.linux_abi import MAX_RW

PAGE = 4096
IOV_MAX = 1024
Span = tuple[int, int]
"""A buffer of the guest: address and size in bytes."""


def read_iovec(t: SyscallContext, address: int, count: int) -> list[Span]:
    """Reads an array of struct iovec (readv(2)); EINVAL for too many or too large buffers."""
    if not 0 <= count <= IOV_MAX:
        raise Errno(EINVAL)
    if not count:
        return []
    numbers = struct.unpack(f"<{2 * count}Q", t.mem.read(address, 16 * count))
    spans: list[Span] = []
    total = 0
    for va, length in zip(numbers[::2], numbers[1::2], strict=True):
        if length >= 1 << 63:
            raise Errno(EINVAL)
        count = min(length, MAX_RW - total)
        total += count
        if count:
            spans.append((va, count))
    return spans


class Buffers:
    """A sequence of buffers of the guest, filled or read in order."""

    __slots__ = ("_mem", "_spans", "remaining")

    def __init__(self, mem: Memory, spans: list[Span]) -> None:
        self._mem = mem
        self._spans = spans[::-1]
        self.remaining = sum(length for _, length in spans)
        """Bytes not yet transferred."""

    @property
    def cost(self) -> int:
        """Bytes charged while the call waits."""
        return Cost.WAITED * len(self._spans)

    def fill(self, data: bytes) -> int:
        """Writes ``data`` to the buffers; returns the number of bytes before a bad address."""
        done = 0
        while done < len(data):
            va, length = self._spans.pop()
            piece = data[done : done + length]
            count = _write_prefix(self._mem, va, piece)
            self._advance(va, length, count)
            done += count
            if count < len(piece):
                break
        return done

    def take(self, limit: int) -> bytes:
        """Reads up to ``limit`` bytes from the buffers; EFAULT when none can be read."""
        if len(self._spans) == 1 and self._spans[0][1] <= limit:
            va, length = self._spans[0]
            data = _read_prefix(self._mem, va, length)
            self._spans.pop()
            self._advance(va, length, len(data))
        else:
            data = self._gather(limit)
        if not data:
            raise Errno(EFAULT)
        return data

    def _gather(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        while self._spans and limit > 0:
            va, length = self._spans.pop()
            count = min(length, limit)
            piece = _read_prefix(self._mem, va, count)
            self._advance(va, length, len(piece))
            pieces.append(piece)
            limit -= len(piece)
            if len(piece) < count:
                break
        return b"".join(pieces)

    def _advance(self, va: int, length: int, count: int) -> None:
        self.remaining -= count
        if count < length:
            self._spans.append((va + count, length - count))


def _write_prefix(mem: Memory, va: int, data: bytes) -> int:
    try:
        mem.write(va, data)
        return len(data)
    except Errno as error:
        if error.errno != EFAULT:
            raise
    done = 0
    while done < len(data):
        piece = data[done : done + PAGE - (va + done) % PAGE]
        try:
            mem.write(va + done, piece)
        except Errno:
            break
        done += len(piece)
    return done


def _read_prefix(mem: Memory, va: int, count: int) -> bytes:
    try:
        return mem.read(va, count)
    except Errno as error:
        if error.errno != EFAULT:
            raise
    pieces: list[bytes] = []
    end = va + count
    while va < end:
        length = min(end, (va // PAGE + 1) * PAGE) - va
        try:
            pieces.append(mem.read(va, length))
        except Errno:
            break
        va += length
    return b"".join(pieces)

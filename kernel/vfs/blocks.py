"""A file's bytes in memory, with holes: only what was written takes memory."""

from __future__ import annotations

from collections.abc import Callable

from kernel.errors import Errno
from kernel.vfs.abi import MAX_FILE_SIZE
from kernel.vfs.errnos import EFBIG

BLOCK = 1 << 16


class Blocks:
    """``size`` bytes, kept as blocks of up to 64 KiB; what is missing reads as zeros.

    ``charge`` is called with the bytes of memory taken (or, negative, given back) before it
    happens, and may refuse by raising.
    """

    __slots__ = ("_blocks", "_charge", "allocated", "size")

    def __init__(self, charge: Callable[[int], None]) -> None:
        self._blocks: dict[int, bytearray] = {}
        self._charge = charge
        self.size = 0
        self.allocated = 0
        """Bytes held."""

    def read(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes; the caller bounds ``count``."""
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        index, start = divmod(offset, BLOCK)
        if start + count <= BLOCK:
            return self._piece(index, start, count)
        pieces: list[bytes] = []
        while count > 0:
            length = min(count, BLOCK - start)
            pieces.append(self._piece(index, start, length))
            count -= length
            index, start = index + 1, 0
        return b"".join(pieces)

    def write(self, offset: int, data: bytes) -> int:
        """How many bytes fitted; raises when none did."""
        if offset + len(data) > MAX_FILE_SIZE:
            raise Errno(EFBIG)
        done = 0
        while done < len(data):
            index, start = divmod(offset + done, BLOCK)
            piece = data[done : done + BLOCK - start]
            try:
                self._put(index, start, piece)
            except Errno:
                if done:
                    break
                raise
            done += len(piece)
            self.size = max(self.size, offset + done)
        return done

    def truncate(self, size: int) -> None:
        """Cuts, or grows by a hole."""
        if size > MAX_FILE_SIZE:
            raise Errno(EFBIG)
        if size < self.size:
            last, start = divmod(size, BLOCK)
            for index in [i for i in self._blocks if i > last or (i == last and start == 0)]:
                self._shrink(index, 0)
            if last in self._blocks:
                self._shrink(last, start)
        self.size = size

    def seek(self, offset: int, hole: bool) -> int:
        """The next offset at or after ``offset`` in data, or in a hole; ``size`` if none is."""
        index = offset // BLOCK
        if hole:
            while index in self._blocks:
                index += 1
        elif index not in self._blocks:
            index = min((i for i in self._blocks if i > index), default=self.size // BLOCK + 1)
        return min(self.size, max(offset, index * BLOCK))

    def _piece(self, index: int, start: int, count: int) -> bytes:
        block = self._blocks.get(index)
        if block is None:
            return bytes(count)
        piece = bytes(block[start : start + count])
        return piece if len(piece) == count else piece + bytes(count - len(piece))

    def _put(self, index: int, start: int, piece: bytes) -> None:
        block = self._blocks.get(index)
        have = 0 if block is None else len(block)
        more = max(0, start + len(piece) - have)
        if more:
            self._charge(more)
            self.allocated += more
        if block is None:
            block = self._blocks[index] = bytearray()
        if start > have:
            block.extend(bytes(start - have))
        block[start : start + len(piece)] = piece

    def _shrink(self, index: int, length: int) -> None:
        block = self._blocks[index]
        fewer = len(block) - length
        if fewer > 0:
            self._charge(-fewer)
            self.allocated -= fewer
            del block[length:]
        if not block:
            del self._blocks[index]

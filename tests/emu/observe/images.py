"""ELF files that are nothing but bytes."""

from __future__ import annotations

from typing import Any

from emu.observe.image import Image


class InMemory:
    """As much of an inode as it takes to be read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, count: int) -> bytes:
        return self._data[offset : offset + count]


def image_of(data: bytes) -> Image:
    inode: Any = InMemory(data)
    return Image(inode)

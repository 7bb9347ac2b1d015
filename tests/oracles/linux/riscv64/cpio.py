"""An initramfs in the format "newc" of cpio, written without tools of the host and without root."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field

_MAGIC = b"070701"


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


@dataclass
class Archive:
    """Files are added in the order in which the kernel makes them: a folder before its files."""

    _parts: list[bytes] = field(default_factory=list)

    def add_folder(self, path: str) -> None:
        self._add(path, stat.S_IFDIR | 0o755)

    def add_program(self, path: str, contents: bytes) -> None:
        self._add(path, stat.S_IFREG | 0o755, contents)

    def add_character_device(self, path: str, major: int, minor: int) -> None:
        self._add(path, stat.S_IFCHR | 0o600, device=(major, minor))

    def to_bytes(self) -> bytes:
        end = Archive()
        end._add("TRAILER!!!", 0)
        return b"".join(self._parts + end._parts)

    def _add(
        self, path: str, mode: int, contents: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        name = path.encode() + b"\0"
        inode, links, owner, group, time = len(self._parts) + 1, 1, 0, 0, 0
        fields = (
            *(inode, mode, owner, group, links, time, len(contents)),
            *(0, 0, *device, len(name), 0),
        )
        header = _MAGIC + b"".join(b"%08X" % number for number in fields)
        self._parts.append(_padded(header + name) + _padded(contents))

"""System calls for tests, with texts and bytes instead of addresses."""

from __future__ import annotations

import struct

from kernel.syscalls.files import directories, openat, read_write, stat
from kernel.vfs.core.linux_abi import AT_FDCWD, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY
from tests.kernel.fakes import FakeThread, done


def open_(t: FakeThread, path: str, flags: int = O_RDONLY, mode: int = 0o644,
          dirfd: int = AT_FDCWD) -> int:  # fmt: skip
    return done(openat.openat(t, dirfd, t.mem.text(path), flags, mode))


def read(t: FakeThread, fd: int, count: int = 4096) -> bytes:
    buffer = t.mem.alloc(count)
    return t.mem.read(buffer, done(read_write.read(t, fd, buffer, count)))


def write(t: FakeThread, fd: int, data: bytes) -> int:
    return done(read_write.write(t, fd, t.mem.put(data), len(data)))


def put_file(t: FakeThread, path: str, data: bytes = b"", mode: int = 0o644) -> None:
    fd = open_(t, path, O_CREAT | O_WRONLY | O_TRUNC, mode)
    assert write(t, fd, data) == len(data)
    t.files.close(fd)


def get_file(t: FakeThread, path: str) -> bytes:
    fd = open_(t, path)
    data = b"".join(iter(lambda: read(t, fd), b""))
    t.files.close(fd)
    return data


def mkdir(t: FakeThread, path: str, mode: int = 0o755) -> int:
    return done(directories.mkdirat(t, AT_FDCWD, t.mem.text(path), mode))


def unlink(t: FakeThread, path: str, flags: int = 0) -> int:
    return done(directories.unlinkat(t, AT_FDCWD, t.mem.text(path), flags))


def rename(t: FakeThread, old: str, new: str, flags: int = 0) -> int:
    texts = t.mem.text(old), t.mem.text(new)
    return done(directories.renameat2(t, AT_FDCWD, texts[0], AT_FDCWD, texts[1], flags))


def symlink(t: FakeThread, target: str, path: str) -> int:
    return done(directories.symlinkat(t, t.mem.text(target), AT_FDCWD, t.mem.text(path)))


def link(t: FakeThread, old: str, new: str, flags: int = 0) -> int:
    texts = t.mem.text(old), t.mem.text(new)
    return done(directories.linkat(t, AT_FDCWD, texts[0], AT_FDCWD, texts[1], flags))


def readlink(t: FakeThread, path: str) -> str:
    buffer = t.mem.alloc(4096)
    count = done(directories.readlinkat(t, AT_FDCWD, t.mem.text(path), buffer, 4096))
    return t.mem.read(buffer, count).decode()


def chdir(t: FakeThread, path: str) -> int:
    return done(directories.chdir(t, t.mem.text(path)))


def getcwd(t: FakeThread) -> str:
    buffer = t.mem.alloc(4096)
    return t.mem.read(buffer, done(directories.getcwd(t, buffer, 4096)) - 1).decode()


def stat_(t: FakeThread, path: str, flags: int = 0) -> dict[str, int]:
    buffer = t.mem.alloc(128)
    done(stat.newfstatat(t, AT_FDCWD, t.mem.text(path), buffer, flags))
    return unpack_stat(t.mem.read(buffer, 128))


def fstat(t: FakeThread, fd: int) -> dict[str, int]:
    buffer = t.mem.alloc(128)
    done(stat.fstat(t, fd, buffer))
    return unpack_stat(t.mem.read(buffer, 128))


def unpack_stat(raw: bytes) -> dict[str, int]:
    names = ("dev", "ino", "mode", "nlink", "uid", "gid", "rdev", "pad", "size", "blksize")
    fields = dict(zip(names, struct.unpack_from("<QQIIIIQQqi", raw), strict=True))
    fields["blocks"], fields["atime"], _, fields["mtime"] = struct.unpack_from("<qqQq", raw, 64)
    return fields


def listed(t: FakeThread, path: str) -> set[str]:
    """The names in a directory, without "." and ".."."""
    fd = open_(t, path)
    buffer, names = t.mem.alloc(4096), set()
    while count := done(directories.getdents64(t, fd, buffer, 4096)):
        raw, at = t.mem.read(buffer, count), 0
        while at < count:
            (length,) = struct.unpack_from("<H", raw, at + 16)
            names.add(raw[at + 19 : at + length].rstrip(b"\0").decode())
            at += length
    t.files.close(fd)
    assert {".", ".."} <= names
    return names - {".", ".."}


def fails(call: object) -> int:
    """The errno of a call; 0 on success."""
    from kernel.base.errors import Errno

    assert callable(call)
    try:
        call()
    except Errno as error:
        return error.errno
    return 0

"""Calls that create descriptors: openat(2), pipe2(2), memfd_create(2)."""

from __future__ import annotations

import struct

from kernel.base.errno import E2BIG, EAGAIN, EINVAL
from kernel.base.errors import Errno
from kernel.base.wait import Blocking, Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.path_arguments import read_path, start_of
from kernel.vfs.core.fd_table import FdTable
from kernel.vfs.core.linux_abi import (
    O_ACCMODE,
    O_APPEND,
    O_ASYNC,
    O_CLOEXEC,
    O_CREAT,
    O_DIRECT,
    O_DIRECTORY,
    O_DSYNC,
    O_EXCL,
    O_LARGEFILE,
    O_NOATIME,
    O_NOCTTY,
    O_NOFOLLOW,
    O_NONBLOCK,
    O_PATH,
    O_RDWR,
    O_SYNC,
    O_TMPFILE,
    O_TRUNC,
)
from kernel.vfs.core.open_file import OpenFile, RegularFile
from kernel.vfs.core.seals import Seal
from kernel.vfs.ipc.pipe import Pipe
from kernel.vfs.names.open import open_path

_KNOWN = (
    O_ACCMODE | O_APPEND | O_CLOEXEC | O_CREAT | O_DIRECT | O_DIRECTORY | O_DSYNC | O_EXCL
    | O_LARGEFILE | O_NOATIME | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK | O_PATH | O_SYNC
    | O_TMPFILE | O_TRUNC
)  # fmt: skip
_CREATING = O_CREAT | O_TMPFILE & ~O_DIRECTORY
_WITH_PATH = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
_ONLY_AT_OPEN = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC
MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL, MFD_EXEC = 1, 2, 8, 16
MEMFD_NAME_MAX = 249
RESOLVE_CACHED, RESOLVE_ALL = 0x20, 0x3F
OPEN_HOW = struct.Struct("<QQQ")


def openat(t: SyscallContext, dirfd: int, path: int, flags: int, mode: int) -> Result:
    text = read_path(t, path)
    return _open(t, dirfd, text, flags & _KNOWN, mode & 0o7777)


def openat2(t: SyscallContext, dirfd: int, path: int, how: int, size: int) -> Result:
    if size < OPEN_HOW.size:
        raise Errno(EINVAL)
    if size > OPEN_HOW.size and (size > 4096 or any(t.mem.read(how + 24, size - 24))):
        raise Errno(E2BIG)
    flags, mode, resolve = OPEN_HOW.unpack(t.mem.read(how, OPEN_HOW.size))
    if flags & ~(_KNOWN | O_ASYNC) or mode & ~0o7777 or resolve & ~RESOLVE_ALL:
        raise Errno(EINVAL)
    if (mode and not flags & _CREATING) or (flags & O_PATH and flags & ~_WITH_PATH):
        raise Errno(EINVAL)
    if resolve:  # restricted resolution is not supported, and must not be ignored
        raise Errno(EAGAIN if resolve == RESOLVE_CACHED else EINVAL)
    return _open(t, dirfd, read_path(t, path), flags, mode)


def _open(t: SyscallContext, dirfd: int, path: str, flags: int, mode: int) -> Result:
    file = open_path(t.fs, start_of(t, dirfd, path), path, flags, mode)
    file.flags = file.flags & ~_ONLY_AT_OPEN | (0 if flags & O_PATH else O_LARGEFILE)
    cloexec = bool(flags & O_CLOEXEC)
    if file.wait_to_open() is None:
        return t.files.install(file, cloexec=cloexec)
    return _wait_for_other_end(t, file, cloexec)


def _wait_for_other_end(t: SyscallContext, file: OpenFile, cloexec: bool) -> Blocking:
    file.acquire()
    try:
        wait = file.wait_to_open()
        while wait is not None:
            yield wait
            wait = file.wait_to_open()
        return t.files.install(file, cloexec=cloexec)
    finally:
        file.release()


def pipe2(t: SyscallContext, address: int, flags: int) -> Result:
    if flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT):
        raise Errno(EINVAL)
    pipe = Pipe(t.fs.namespace.pipes, t.kernel.clock.realtime())
    reading, writing = pipe.ends(flags & O_NONBLOCK)
    return install_pair(t, address, (reading, writing), bool(flags & O_CLOEXEC))


def install_pair(
    t: SyscallContext, address: int, pair: tuple[OpenFile, OpenFile], cloexec: bool
) -> int:
    """Installs both files and writes their descriptors to ``address``; closes both on failure."""
    files: FdTable = t.files
    first, second = files.install_pair(*pair, cloexec)
    try:
        t.mem.write(address, struct.pack("<ii", first, second))
    except BaseException:
        files.close(first)
        files.close(second)
        raise
    return 0


def memfd_create(t: SyscallContext, name: int, flags: int) -> Result:
    known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC
    if flags & ~known or flags & (MFD_EXEC | MFD_NOEXEC_SEAL) == MFD_EXEC | MFD_NOEXEC_SEAL:
        raise Errno(EINVAL)
    raw = t.mem.read_cstr(name)
    if len(raw) > MEMFD_NAME_MAX:
        raise Errno(EINVAL)
    noexec = bool(flags & MFD_NOEXEC_SEAL)
    node = t.fs.namespace.memory_files.root.create_unnamed(0o666 if noexec else 0o777)
    node.take_owner(t.fs.credentials.uid, t.fs.credentials.gid)
    if flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL):
        node.seals = Seal.EXEC if noexec else Seal(0)
    path = f"/memfd:{raw.decode('utf-8', 'surrogateescape')} (deleted)"
    file = RegularFile(node, O_RDWR | O_LARGEFILE, path)
    return t.files.install(file, cloexec=bool(flags & MFD_CLOEXEC))

"""Control messages of sendmsg(2) and recvmsg(2) (cmsg(3)): descriptors and credentials."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from kernel.base.errno import EINVAL, EMFILE, ENOBUFS, EPERM, ETOOMANYREFS
from kernel.base.errors import Errno
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.net.arguments import SOL_SOCKET, network_of, sender_of
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.sockets.message import Sender
from kernel.vfs.sockets.socket_file import Received, Socket
from kernel.vfs.sockets.unix_names import AF_UNIX

SCM_RIGHTS, SCM_CREDENTIALS = 1, 2
SO_PASSCRED = 16
_HEADER = struct.Struct("<QII")
"""struct cmsghdr: length, level, type."""
_CREDENTIALS = struct.Struct("<III")
_MOST_DESCRIPTORS = 253
"""SCM_MAX_FD."""
_LARGEST = 1 << 16
MSG_CTRUNC = 8


class Control(NamedTuple):
    """The descriptors and the credentials of a message."""

    files: list[OpenFile]
    sender: Sender


def read_control(t: SyscallContext, file: Socket, address: int, size: int) -> Control:
    """Reads the control messages of a sendmsg(2)."""
    files: list[OpenFile] = []
    sender = sender_of(t)
    if not address or not size:
        return Control(files, sender)
    if size > _LARGEST:
        raise Errno(ENOBUFS)
    for level, type_, data in _messages(t.mem.read(address, size)):
        if level != SOL_SOCKET:
            continue
        if file.domain == AF_UNIX and type_ == SCM_RIGHTS:
            files += _files(t, data)
        elif file.domain == AF_UNIX and type_ == SCM_CREDENTIALS:
            sender = _checked_credentials(t, data)
        else:
            raise Errno(EINVAL)
    if len(files) > _MOST_DESCRIPTORS:
        raise Errno(EINVAL)
    if files and network_of(t).rights.count + len(files) > t.files.limit:
        raise Errno(ETOOMANYREFS)
    return Control(files, sender)


def _messages(raw: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(raw):
        length, level, type_ = _HEADER.unpack_from(raw, at)
        if length < _HEADER.size or length > len(raw) - at:
            raise Errno(EINVAL)
        yield level, type_, raw[at + _HEADER.size : at + length]
        at += -(-length // 8) * 8


def _files(t: SyscallContext, data: bytes) -> list[OpenFile]:
    count = len(data) // 4
    return [t.files.get_usable(fd) for fd in struct.unpack(f"<{count}i", data[: 4 * count])]


def _checked_credentials(t: SyscallContext, data: bytes) -> Sender:
    """Credentials that the caller may claim: its own, or as root any."""
    if len(data) != _CREDENTIALS.size:
        raise Errno(EINVAL)
    claimed, true = Sender(*_CREDENTIALS.unpack(data)), sender_of(t)
    if claimed != true and true.uid != 0:
        raise Errno(EPERM)
    return claimed


def pack_control(
    t: SyscallContext, file: Socket, received: Received, room: int, *, cloexec: bool
) -> tuple[bytes, int]:
    """Returns the control messages for a received message, and MSG_CTRUNC if some had no room.

    Descriptors are installed; those for which there is no room are closed.
    """
    packed, flags = b"", 0
    if _wants_credentials(file):
        sender = received.sender
        part = _pack(SCM_CREDENTIALS, _CREDENTIALS.pack(*sender))
        packed, flags = _append(packed, part, room, flags)
    if received.files:
        part, truncated = _install(t, received.files, room - len(packed), cloexec)
        flags |= truncated
        packed += part
    return packed, flags


def _wants_credentials(file: Socket) -> bool:
    return file.domain == AF_UNIX and any(file.options.get((SOL_SOCKET, SO_PASSCRED), b""))


def _append(packed: bytes, part: bytes, room: int, flags: int) -> tuple[bytes, int]:
    if len(packed) + _HEADER.size > room:
        return packed, flags | MSG_CTRUNC
    cut = part[: room - len(packed)]
    return packed + cut, flags | (MSG_CTRUNC if len(cut) < len(part) else 0)


def _pack(type_: int, data: bytes) -> bytes:
    length = _HEADER.size + len(data)
    return _HEADER.pack(length, SOL_SOCKET, type_) + data + bytes(-length % 8)


def _install(
    t: SyscallContext, files: list[OpenFile], room: int, cloexec: bool
) -> tuple[bytes, int]:
    network_of(t).rights.received(files)
    descriptors: list[int] = []
    most = max(room - _HEADER.size, 0) // 4
    try:
        for file in files[:most]:
            descriptors.append(t.files.install(file, cloexec=cloexec))
    except Errno as error:
        if error.errno != EMFILE:
            raise
    finally:
        for file in files:
            file.release()
    flags = MSG_CTRUNC if len(descriptors) < len(files) else 0
    if not descriptors:
        return b"", flags
    part = _pack(SCM_RIGHTS, struct.pack(f"<{len(descriptors)}i", *descriptors))
    return part[: max(room, 0)], flags

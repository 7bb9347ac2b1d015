"""User and group IDs, and the capabilities that follow from them (credentials(7)).

IDs for access to files are the effective ones. Root has all capabilities, others have none.
"""

from __future__ import annotations

import struct

from kernel.base.errno import EINVAL, EPERM
from kernel.base.errors import Errno
from kernel.syscalls.context import SyscallContext
from kernel.vfs.core.credentials import UNCHANGED

_MOST_GROUPS = 1 << 16
_ALL_CAPABILITIES = (1 << 41) - 1
_VERSION_1, _VERSION_3 = 0x19980330, 0x20080522
_VERSIONS = (_VERSION_1, 0x20071026, _VERSION_3)


def getuid(t: SyscallContext) -> int:
    return t.fs.credentials.users.real


def geteuid(t: SyscallContext) -> int:
    return t.fs.credentials.uid


def getgid(t: SyscallContext) -> int:
    return t.fs.credentials.all_groups.real


def getegid(t: SyscallContext) -> int:
    return t.fs.credentials.gid


def getresuid(t: SyscallContext, real: int, effective: int, saved: int) -> int:
    for address, number in zip((real, effective, saved), t.fs.credentials.users, strict=True):
        t.mem.write_u32(address, number)
    return 0


def getresgid(t: SyscallContext, real: int, effective: int, saved: int) -> int:
    for address, number in zip((real, effective, saved), t.fs.credentials.all_groups, strict=True):
        t.mem.write_u32(address, number)
    return 0


def getgroups(t: SyscallContext, size: int, address: int) -> int:
    groups = sorted(t.fs.credentials.groups)
    if size < 0 or 0 < size < len(groups):
        raise Errno(EINVAL)
    if size:
        t.mem.write(address, struct.pack(f"<{len(groups)}I", *groups))
    return len(groups)


def setgroups(t: SyscallContext, size: int, address: int) -> int:
    if not t.fs.credentials.is_privileged:
        raise Errno(EPERM)
    if not 0 <= size <= _MOST_GROUPS:
        raise Errno(EINVAL)
    raw = t.mem.read(address, 4 * size) if size else b""
    t.fs.credentials = t.fs.credentials._replace(groups=frozenset(struct.unpack(f"<{size}I", raw)))
    return 0


def _unsigned(number: int) -> int:
    """An ID as the kernel keeps it: unsigned, and -1 for none."""
    return number if number == UNCHANGED else number & 0xFFFFFFFF


def setuid(t: SyscallContext, uid: int) -> int:
    if uid == UNCHANGED:
        raise Errno(EINVAL)
    now = t.fs.credentials
    ids = now.users.with_all(_unsigned(uid), privileged=now.is_privileged)
    t.fs.credentials = now.with_users(ids)
    return 0


def setgid(t: SyscallContext, gid: int) -> int:
    if gid == UNCHANGED:
        raise Errno(EINVAL)
    now = t.fs.credentials
    ids = now.all_groups.with_all(_unsigned(gid), privileged=now.is_privileged)
    t.fs.credentials = now.with_groups(ids)
    return 0


def setreuid(t: SyscallContext, real: int, effective: int) -> int:
    now, wanted = t.fs.credentials, (_unsigned(real), _unsigned(effective))
    t.fs.credentials = now.with_users(now.users.with_two(*wanted, privileged=now.is_privileged))
    return 0


def setregid(t: SyscallContext, real: int, effective: int) -> int:
    now, wanted = t.fs.credentials, (_unsigned(real), _unsigned(effective))
    t.fs.credentials = now.with_groups(
        now.all_groups.with_two(*wanted, privileged=now.is_privileged)
    )
    return 0


def setresuid(t: SyscallContext, real: int, effective: int, saved: int) -> int:
    now, wanted = t.fs.credentials, tuple(map(_unsigned, (real, effective, saved)))
    t.fs.credentials = now.with_users(now.users.with_three(*wanted, privileged=now.is_privileged))
    return 0


def setresgid(t: SyscallContext, real: int, effective: int, saved: int) -> int:
    now, wanted = t.fs.credentials, tuple(map(_unsigned, (real, effective, saved)))
    t.fs.credentials = now.with_groups(
        now.all_groups.with_three(*wanted, privileged=now.is_privileged)
    )
    return 0


def setfsuid(t: SyscallContext, uid: int) -> int:
    return t.fs.credentials.uid


def setfsgid(t: SyscallContext, gid: int) -> int:
    return t.fs.credentials.gid


def capget(t: SyscallContext, header: int, data: int) -> int:
    """Returns all capabilities as effective and permitted for root, none for others."""
    version = t.mem.read_u32(header)
    if version not in _VERSIONS:
        t.mem.write_u32(header, _VERSION_3)
        if data:
            raise Errno(EINVAL)
        return 0
    if data:
        held = _ALL_CAPABILITIES if t.fs.credentials.is_privileged else 0
        low, high = held & 0xFFFFFFFF, held >> 32
        packed = struct.pack("<6I", low, low, 0, high, high, 0)
        t.mem.write(data, packed[:12] if version == _VERSION_1 else packed)
    return 0


def capset(t: SyscallContext, header: int, data: int) -> int:
    """Accepted from root, whose capabilities it does not change."""
    if not t.fs.credentials.is_privileged:
        raise Errno(EPERM)
    return 0

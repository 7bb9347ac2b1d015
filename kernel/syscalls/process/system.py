"""The system and user IDs: uname(2), sysinfo(2), getrandom(2), getuid(2), related calls."""

from __future__ import annotations

import struct

from kernel.base.errno import EINVAL, EPERM
from kernel.base.errors import Errno
from kernel.base.uname import HOSTNAME, RELEASE
from kernel.syscalls.context import SyscallContext

_UNAME = ("Linux", HOSTNAME, RELEASE, "#1 SMP emu", "riscv64", "(none)")

_GRND_ALL = 7
_CHUNK = 1 << 16
_MAX_RANDOM = (1 << 25) - 1


def uname(t: SyscallContext, address: int) -> int:
    fields = (text.encode().ljust(65, b"\0") for text in _UNAME)
    t.mem.write(address, b"".join(fields))
    return 0


def sysinfo(t: SyscallContext, address: int) -> int:
    frames = t.kernel.frames
    total, free = frames.total, frames.total - frames.used
    uptime = t.kernel.clock.monotonic() // 1_000_000_000
    t.mem.write(
        address,
        struct.pack(
            "<q3Q6QHHIQQI4x",
            uptime,
            *(0, 0, 0),
            *(total, free, t.kernel.cache.memory.held, 0, 0, 0),
            *(min(len(t.kernel.processes), 0xFFFF), 0, 0),
            *(0, 0),
            4096,
        ),
    )
    return 0


def getrandom(t: SyscallContext, address: int, count: int, flags: int) -> int:
    if flags & ~_GRND_ALL or flags & 6 == 6:
        raise Errno(EINVAL)
    count = min(count, _MAX_RANDOM)
    done = 0
    while done < count:
        part = t.kernel.random(min(_CHUNK, count - done))
        try:
            t.mem.write(address + done, part)
        except Errno:
            if done:
                break
            raise
        done += len(part)
        if t.breaks_off(only_killed=False):
            break
    return done


# User and group IDs are those of the host's user, and cannot be changed.


def getuid(t: SyscallContext) -> int:
    return t.fs.credentials.uid


def getgid(t: SyscallContext) -> int:
    return t.fs.credentials.gid


def getresuid(t: SyscallContext, real: int, effective: int, saved: int) -> int:
    for address in (real, effective, saved):
        t.mem.write_u32(address, t.fs.credentials.uid)
    return 0


def getresgid(t: SyscallContext, real: int, effective: int, saved: int) -> int:
    for address in (real, effective, saved):
        t.mem.write_u32(address, t.fs.credentials.gid)
    return 0


def getgroups(t: SyscallContext, size: int, address: int) -> int:
    groups = sorted(t.fs.credentials.groups)
    if size < 0 or 0 < size < len(groups):
        raise Errno(EINVAL)
    if size:
        t.mem.write(address, struct.pack(f"<{len(groups)}I", *groups))
    return len(groups)


def setgroups(t: SyscallContext, size: int, address: int) -> int:
    raise Errno(EPERM)


_UNCHANGED = -1


def setuid(t: SyscallContext, uid: int) -> int:
    return _check_same(uid, t.fs.credentials.uid)


def setgid(t: SyscallContext, gid: int) -> int:
    return _check_same(gid, t.fs.credentials.gid)


def setreuid(t: SyscallContext, real: int, effective: int) -> int:
    return _check_same(real, t.fs.credentials.uid) or _check_same(effective, t.fs.credentials.uid)


def setregid(t: SyscallContext, real: int, effective: int) -> int:
    return _check_same(real, t.fs.credentials.gid) or _check_same(effective, t.fs.credentials.gid)


def setresuid(t: SyscallContext, real: int, effective: int, saved: int) -> int:
    return setreuid(t, real, effective) or _check_same(saved, t.fs.credentials.uid)


def setresgid(t: SyscallContext, real: int, effective: int, saved: int) -> int:
    return setregid(t, real, effective) or _check_same(saved, t.fs.credentials.gid)


def _check_same(requested: int, current: int) -> int:
    """EPERM unless the ID is unchanged: the current one, or -1."""
    if requested not in (_UNCHANGED, current):
        raise Errno(EPERM)
    return 0


def setfsuid(t: SyscallContext, uid: int) -> int:
    return t.fs.credentials.uid


def setfsgid(t: SyscallContext, gid: int) -> int:
    return t.fs.credentials.gid


def capget(t: SyscallContext, header: int, data: int) -> int:
    """Returns an empty set of capabilities."""
    version = t.mem.read_u32(header)
    if version not in (0x19980330, 0x20071026, 0x20080522):
        t.mem.write_u32(header, 0x20080522)
        if data:
            raise Errno(EINVAL)
        return 0
    if data:
        t.mem.write(data, bytes(12 if version == 0x19980330 else 24))
    return 0


def capset(t: SyscallContext, header: int, data: int) -> int:
    raise Errno(EPERM)


def personality(t: SyscallContext, persona: int) -> int:
    return 0


def sethostname(t: SyscallContext, address: int, size: int) -> int:
    raise Errno(EPERM)


def syslog(t: SyscallContext, kind: int, address: int, size: int) -> int:
    raise Errno(EPERM)


def riscv_hwprobe(
    t: SyscallContext, pairs: int, count: int, cpus_size: int, cpus: int, flags: int
) -> int:
    """Sets the value of each key; an unknown key becomes -1."""
    if flags or count > 4096:
        raise Errno(EINVAL)
    values = {0: 0, 1: 0, 2: 0, 3: 1, 4: 0x3, 5: 1}
    for index in range(count):
        at = pairs + 16 * index
        key = t.mem.read_u64(at)
        if key in values:
            t.mem.write_u64(at + 8, values[key])
        else:
            t.mem.write(at, struct.pack("<qQ", -1, 0))
    return 0

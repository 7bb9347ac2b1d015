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

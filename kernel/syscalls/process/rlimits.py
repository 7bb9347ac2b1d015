"""Resource limits: prlimit64(2), getrlimit(2), setrlimit(2)."""

from __future__ import annotations

import struct

from kernel.base.errno import EINVAL, EPERM
from kernel.base.errors import Errno
from kernel.base.resource_limits import Resource
from kernel.process.process import Process
from kernel.process.timers import cpu_limit
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.process.identity import find_process


def prlimit64(t: SyscallContext, pid: int, number: int, new: int, old: int) -> int:
    given = struct.unpack("<QQ", t.mem.read(new, 16)) if new else None
    process = find_process(t, pid)
    if number not in Resource._value2member_map_:
        raise Errno(EINVAL)
    resource = Resource(number)
    current = process.limits[resource]
    if given is not None:
        soft, hard = given
        if soft > hard:
            raise Errno(EINVAL)
        if hard > current[1]:
            raise Errno(EPERM)
        _set_limit(t, process, resource, soft, hard)
    if old:
        t.mem.write(old, struct.pack("<QQ", *current))
    return 0


def _set_limit(
    t: SyscallContext, process: Process, resource: Resource, soft: int, hard: int
) -> None:
    process.limits[resource] = soft, hard
    if resource is Resource.STACK:
        process.space.stack_limit = soft
    elif resource is Resource.NOFILE:
        process.files.limit = soft
    elif resource is Resource.CPU:
        cpu_limit.arm(t.kernel, process)


def getrlimit(t: SyscallContext, resource: int, address: int) -> int:
    return prlimit64(t, 0, resource, 0, address)


def setrlimit(t: SyscallContext, resource: int, address: int) -> int:
    return prlimit64(t, 0, resource, address, 0)

"""Resource usage: times(2), getrusage(2)."""

from __future__ import annotations

import struct

from kernel.base.clock import NS
from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.process.accounting.resource_usage import ResourceUsage
from kernel.process.process import Process
from kernel.syscalls.context import SyscallContext

_SELF, _CHILDREN, _THREAD = 0, -1, 1
_TICK_NS = 10_000_000


def times(t: SyscallContext, address: int) -> int:
    if address:
        children = t.process.children_usage
        times = (*t.process.counters.cpu.split(), children.user_ns, children.system_ns)
        t.mem.write(address, struct.pack("<4q", *(ns // _TICK_NS for ns in times)))
    return t.kernel.clock.monotonic() // _TICK_NS


def getrusage(t: SyscallContext, who: int, address: int) -> int:
    if who == _SELF:
        usage = t.process.usage()
    elif who == _THREAD:
        usage = t.thread.usage()
    elif who == _CHILDREN:
        usage = t.process.children_usage
    else:
        raise Errno(EINVAL)
    t.mem.write(address, _encode(usage))
    return 0


def of_child(child: Process) -> bytes:
    """Encodes struct rusage of a child for wait4(2), including its own reaped children."""
    usage = child.usage()
    usage.add(child.children_usage)
    return _encode(usage)


def _encode(usage: ResourceUsage) -> bytes:
    """Encodes struct rusage; ru_maxrss is in kB."""
    user, system = divmod(usage.user_ns, NS), divmod(usage.system_ns, NS)
    numbers = [user[0], user[1] // 1000, system[0], system[1] // 1000, usage.resident_peak * 4]
    numbers += [*[0] * 3, usage.minor_faults, usage.major_faults]
    numbers += [*[0] * 6, usage.voluntary_switches, usage.involuntary_switches]
    return struct.pack("<18q", *numbers)

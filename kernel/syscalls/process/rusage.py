"""Resource usage: times(2), getrusage(2).

All CPU time is reported as user time, and all page faults as minor faults.
"""

from __future__ import annotations

import struct

from kernel.base.clock import NS
from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.process.process import Process
from kernel.process.resource_usage import ResourceUsage
from kernel.syscalls.context import SyscallContext

_SELF, _CHILDREN, _THREAD = 0, -1, 1
_TICK_NS = 10_000_000


def times(t: SyscallContext, address: int) -> int:
    if address:
        own, children = t.process.cpu_ns, t.process.children_usage.cpu_ns
        t.mem.write(address, struct.pack("<4q", own // _TICK_NS, 0, children // _TICK_NS, 0))
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
    seconds, ns = divmod(usage.cpu_ns, NS)
    numbers = [seconds, ns // 1000, 0, 0, usage.resident_peak * 4, *[0] * 3, usage.faults]
    numbers += [*[0] * 7, usage.voluntary_switches, usage.involuntary_switches]
    return struct.pack("<18q", *numbers)

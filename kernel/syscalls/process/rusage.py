"""Resource usage: times(2), getrusage(2).

All CPU time is reported as user time, and all page faults as minor faults.
"""

from __future__ import annotations

import struct

from kernel.base.clock import NS
from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.process.process import Process
from kernel.syscalls.context import SyscallContext

_SELF, _CHILDREN, _THREAD = 0, -1, 1
_TICK_NS = 10_000_000


def times(t: SyscallContext, address: int) -> int:
    if address:
        own, children = t.process.cpu_ns // _TICK_NS, t.process.children_cpu_ns // _TICK_NS
        t.mem.write(address, struct.pack("<4q", own, 0, children, 0))
    return t.kernel.clock.monotonic() // _TICK_NS


def getrusage(t: SyscallContext, who: int, address: int) -> int:
    resident = t.process.space.resident_pages()
    if who == _SELF:
        usage = _rusage(t.process.cpu_ns, resident, t.process.faults)
    elif who == _THREAD:
        usage = _rusage(t.thread.cpu.monotonic(), resident, t.thread.faults)
    elif who == _CHILDREN:
        usage = _rusage(t.process.children_cpu_ns, 0, t.process.children_faults)
    else:
        raise Errno(EINVAL)
    t.mem.write(address, usage)
    return 0


def of_child(child: Process) -> bytes:
    """Encodes struct rusage of a child for wait4(2), including its own reaped children."""
    faults = child.faults + child.children_faults
    return _rusage(child.cpu_ns + child.children_cpu_ns, 0, faults)


def _rusage(cpu_ns: int, resident: int, faults: int) -> bytes:
    seconds, ns = divmod(cpu_ns, NS)
    numbers = (seconds, ns // 1000, 0, 0, resident * 4, 0, 0, 0, faults)
    return struct.pack("<9q", *numbers).ljust(144, b"\0")

"""Attributes of a thread's scheduling: sched_getattr(2), sched_setattr(2), and its time slice."""

from __future__ import annotations

import struct

from kernel.base.errno import E2BIG, EINVAL, EPERM
from kernel.base.errors import Errno
from kernel.process.clone import SCHED_RESET_ON_FORK
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.process import sched

_ATTRIBUTES = struct.Struct("<IIQiIQQQ")
"""struct sched_attr of its first version: size, policy, flags, nice, priority, deadline's times."""
_CLAMPS = struct.Struct("<II")
_SIZE = _ATTRIBUTES.size + _CLAMPS.size
_PAGE = 4096
_RESET_ON_FORK, _KEEP_POLICY, _KEEP_PARAMS, _UTIL_CLAMP = 1, 8, 16, 0x60
_ALL_FLAGS = 0x7F
_WITH_NICE = (0, 3)
_SLICE = 4_000_000
"""Nanoseconds of a time slice as reported to programs."""


def sched_getattr(t: SyscallContext, pid: int, address: int, size: int, flags: int) -> int:
    if not address or pid < 0 or not _ATTRIBUTES.size <= size <= _PAGE or flags:
        raise Errno(EINVAL)
    thread = sched.find_thread(t, pid)
    policy = thread.policy & ~SCHED_RESET_ON_FORK
    reset = _RESET_ON_FORK if thread.policy & SCHED_RESET_ON_FORK else 0
    nice = thread.process.nice if policy in _WITH_NICE else 0
    given = min(size, _SIZE)
    packed = _ATTRIBUTES.pack(given, policy, reset, nice, 0, 0, 0, 0) + _CLAMPS.pack(0, 0)
    t.mem.write(address, packed[:given])
    return 0


def sched_setattr(t: SyscallContext, pid: int, address: int, flags: int) -> int:
    if not address or pid < 0 or flags:
        raise Errno(EINVAL)
    policy, wanted_flags, nice, priority = _read_attributes(t, address)
    if policy >= 1 << 31:
        raise Errno(EINVAL)
    thread = sched.find_thread(t, pid)
    if wanted_flags & _KEEP_POLICY:
        policy = thread.policy & ~SCHED_RESET_ON_FORK
    if wanted_flags & _KEEP_PARAMS:
        nice, priority = thread.process.nice, 0
    if wanted_flags & ~_ALL_FLAGS:
        raise Errno(EINVAL)
    if wanted_flags & _RESET_ON_FORK:
        policy |= SCHED_RESET_ON_FORK
    kind = policy & ~SCHED_RESET_ON_FORK
    sched.check_policy(kind, priority)
    if kind in _WITH_NICE and nice < thread.process.nice and t.fs.credentials.uid:
        raise Errno(EPERM)
    if wanted_flags & _KEEP_PARAMS:  # which keeps the policy, too, except for its flag
        policy = thread.policy & ~SCHED_RESET_ON_FORK | policy & SCHED_RESET_ON_FORK
    sched.set_policy(t, thread, policy)
    if kind in _WITH_NICE:
        thread.process.nice = nice
    return 0


def _read_attributes(t: SyscallContext, address: int) -> tuple[int, int, int, int]:
    """Returns policy, flags, nice value and priority; E2BIG leaves there the known size."""
    size = t.mem.read_u32(address) or _ATTRIBUTES.size
    if not _ATTRIBUTES.size <= size <= _PAGE:
        t.mem.write_u32(address, _SIZE)
        raise Errno(E2BIG)
    raw = t.mem.read(address, size)
    if any(raw[_SIZE:]):
        t.mem.write_u32(address, _SIZE)
        raise Errno(E2BIG)
    _, policy, flags, nice, priority, _, _, _ = _ATTRIBUTES.unpack_from(raw)
    if flags & _UTIL_CLAMP and size < _SIZE:
        raise Errno(EINVAL)
    return policy, flags, max(-20, min(nice, 19)), priority


def sched_rr_get_interval(t: SyscallContext, pid: int, address: int) -> int:
    sched.thread_of(t, pid)
    t.mem.write(address, struct.pack("<qq", 0, _SLICE))
    return 0

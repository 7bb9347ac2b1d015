"""Creation and end of processes and threads: clone(2), clone3(2), exit(2), exit_group(2)."""

from __future__ import annotations

import struct

from kernel.base.errno import E2BIG, EINVAL
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.process import exit as exits
from kernel.process.clone import Clone, CloneArguments
from kernel.process.clone import clone as create
from kernel.process.exit_status import ExitStatus
from kernel.process.signals.signals import HIGHEST
from kernel.syscalls.context import SyscallContext

_DETACHED = 0x40_0000
_KNOWN = 0x3_FFFF_FF00 & ~_DETACHED
"""Flags of clone3; clone ignores unknown bits."""


def clone(
    t: SyscallContext, flags: int, stack: int, parent_tid: int, tls: int, child_tid: int
) -> Result:
    args = CloneArguments(
        flags & 0xFFFF_FF00, flags & 0xFF, stack, parent_tid, tls, child_tid, pidfd=parent_tid
    )
    return create(t.kernel, t.thread, args)


def clone3(t: SyscallContext, address: int, size: int) -> Result:
    if size < 64:
        raise Errno(EINVAL)
    if size > 4096:
        raise Errno(E2BIG)
    if size > 88 and any(t.mem.read(address + 88, size - 88)):
        raise Errno(E2BIG)
    words = struct.unpack("<8Q", t.mem.read(address, 64))
    flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls = words
    if flags & ~_KNOWN or bool(stack) != bool(stack_size) or exit_signal > HIGHEST:
        raise Errno(EINVAL)
    if flags & (Clone.THREAD | Clone.PARENT) and exit_signal:
        raise Errno(EINVAL)
    if size > 64 and any(t.mem.read(address + 64, min(size, 88) - 64)):
        raise Errno(EINVAL)  # set_tid and cgroup are not supported
    args = CloneArguments(flags, exit_signal, stack + stack_size, parent_tid, tls, child_tid, pidfd)
    return create(t.kernel, t.thread, args)


def exit_thread(t: SyscallContext, code: int) -> Result:
    exits.exit_thread(t.kernel, t.thread, code)
    return None


def exit_group(t: SyscallContext, code: int) -> Result:
    exits.exit_process(t.kernel, t.process, ExitStatus.of_exit(code))
    return None

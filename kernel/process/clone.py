"""Creating processes and threads: clone(2), fork(2), vfork(2)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING

from emu.machine.registers import A0, SP, TP
from kernel.base.budget import Cost, Kind
from kernel.base.errno import EAGAIN, EFAULT, EINVAL, ENOMEM
from kernel.base.errors import Errno, Interrupted, OutOfMemory
from kernel.base.resource_limits import Resource
from kernel.base.wait import Wait
from kernel.mm.forking import fork
from kernel.process.exit import kill_for_memory
from kernel.process.process import Process, Thread
from kernel.process.signals.signal_frame import AltStack
from kernel.process.timers import cpu_limit
from kernel.vfs.ipc.eventfd import AnonymousInode
from kernel.vfs.ipc.pidfd import PidFile

if TYPE_CHECKING:
    from kernel.mm.address_space import AddressSpace
    from kernel.mm.forking.fork_cost import ForkCost
    from kernel.process.state import KernelState


class Clone(IntFlag):
    """Flags of clone(2), above the low byte, which is the exit signal."""

    VM = 0x100
    FS = 0x200
    FILES = 0x400
    SIGHAND = 0x800
    PIDFD = 0x1000
    VFORK = 0x4000
    PARENT = 0x8000
    THREAD = 0x1_0000
    SETTLS = 0x8_0000
    PARENT_SETTID = 0x10_0000
    CHILD_CLEARTID = 0x20_0000
    DETACHED = 0x40_0000
    CHILD_SETTID = 0x100_0000
    CLEAR_SIGHAND = 0x1_0000_0000


_UNSUPPORTED = 0x0002_0000 | 0x7E00_0000 | 0x80  # namespaces, newtime
_WITHOUT_PIDFD = Clone.THREAD | Clone.DETACHED
SCHED_RESET_ON_FORK = 0x4000_0000
"""Flag of a policy of sched_setscheduler(2): children start with the default policy."""


@dataclass(slots=True)
class CloneArguments:
    """struct clone_args of clone3(2); clone(2) has a subset of its fields."""

    flags: int
    exit_signal: int
    stack: int = 0
    parent_tid: int = 0
    tls: int = 0
    child_tid: int = 0
    pidfd: int = 0
    descriptor: int = -1
    """The number that is stored at ``pidfd``."""


def clone(
    kernel: KernelState, thread: Thread, args: CloneArguments
) -> int | Generator[Wait, None, int]:
    """Creates a process or thread and returns its id; with VFORK the caller waits for its exec."""
    flags = args.flags
    if flags & _UNSUPPORTED:
        raise Errno(EINVAL)
    if flags & Clone.THREAD and not flags & Clone.SIGHAND:
        raise Errno(EINVAL)
    if flags & Clone.SIGHAND and (not flags & Clone.VM or flags & Clone.CLEAR_SIGHAND):
        raise Errno(EINVAL)
    if flags & Clone.PIDFD and (
        flags & _WITHOUT_PIDFD or (flags & Clone.PARENT_SETTID and args.pidfd == args.parent_tid)
    ):
        raise Errno(EINVAL)
    _check_limit(kernel, thread.process)
    if flags & Clone.THREAD:
        child, cost = _new_thread(kernel, thread), None
    elif flags & Clone.PIDFD:
        child, cost = _with_pidfd(kernel, thread, args)
    else:
        child, cost = _new_process(kernel, thread, args)
    kernel.scheduler.add(child)
    _prepare(kernel, thread, child, args, cost)
    if flags & Clone.VFORK and not flags & Clone.THREAD:
        return _wait_for_memory(child)
    return child.tid


def _check_limit(kernel: KernelState, process: Process) -> None:
    """Raises EAGAIN when the user's processes and threads have reached RLIMIT_NPROC."""
    most = min(kernel.config.max_processes, process.limits.soft(Resource.NPROC))
    if len(kernel.processes) + kernel.extra_threads >= most:
        raise Errno(EAGAIN)


def _new_thread(kernel: KernelState, thread: Thread) -> Thread:
    kernel.budget.take(Kind.THREAD, Cost.THREAD)
    kernel.extra_threads += 1
    return Thread(thread.process, kernel.new_id())


def _with_pidfd(
    kernel: KernelState, thread: Thread, args: CloneArguments
) -> tuple[Thread, ForkCost | None]:
    """A new process and a descriptor of it, which only the parent has: both, or none."""
    if thread.mem.writable(args.pidfd, 4) < 4:
        raise Errno(EFAULT)
    files = thread.process.files
    inode = AnonymousInode(thread.process.fs.namespace.anonymous)
    file = PidFile(inode, 0, thread.process.lifetime)
    args.descriptor = files.install(file, cloexec=True)
    try:
        child, cost = _new_process(kernel, thread, args)
    except Errno:
        files.close(args.descriptor)
        raise
    file.subject = child.process.lifetime
    if child.process.files is not files:
        child.process.files.close(args.descriptor)
    return child, cost


def _new_process(
    kernel: KernelState, thread: Thread, args: CloneArguments
) -> tuple[Thread, ForkCost | None]:
    """The first thread of a new process, and the cost of the fork unless they share the memory."""
    parent, flags = thread.process, args.flags
    kernel.budget.take(Kind.PROCESS, Cost.PROCESS)
    try:
        files = parent.files.shared() if flags & Clone.FILES else parent.files.copy()
        try:
            space, cost = _child_space(kernel, parent, flags)
        except Errno:
            files.leave()
            raise
    except Errno:
        kernel.budget.give_back(Kind.PROCESS, Cost.PROCESS)
        raise
    process = kernel.new_process(parent)
    if flags & Clone.PARENT:
        process.parent = parent.parent
    process.space = space
    process.mem = kernel.parts.user_memory(space, kernel.fault_handler(process))
    process.files = files
    process.fs = parent.fs if flags & Clone.FS else parent.fs.copy()
    process.handlers = parent.handlers if flags & Clone.SIGHAND else parent.handlers.copy()
    if flags & Clone.CLEAR_SIGHAND:
        process.handlers.reset_for_exec()
    process.sigreturn = parent.sigreturn
    process.limits = parent.limits.copy()
    if not flags & Clone.VM:
        space.limits = process.limits
    process.program = parent.program
    process.program.words.users += 1
    process.exit_signal = args.exit_signal
    process.borrows_memory = bool(flags & Clone.VFORK)
    if process.parent is not None:
        process.parent.children[process.pid] = process
    cpu_limit.arm(kernel, process)
    kernel.add_process(process)
    return Thread(process, process.pid), cost


def _child_space(
    kernel: KernelState, parent: Process, flags: int
) -> tuple[AddressSpace, ForkCost | None]:
    if flags & Clone.VM:
        parent.space.users += 1
        return parent.space, None
    try:
        space, cost = fork.fork(parent.space, kernel.new_asid(), kernel.fork_policy)
    except OutOfMemory:
        raise Errno(ENOMEM) from None
    kernel.stats.fork(cost)
    return space, cost


def _prepare(
    kernel: KernelState,
    thread: Thread,
    child: Thread,
    args: CloneArguments,
    cost: ForkCost | None,
) -> None:
    """Sets the child's registers and signal state, and writes the ids that clone(2) stores."""
    flags = args.flags
    kernel.hart.save(thread.registers)
    child.registers = thread.registers.copy()
    child.registers[A0] = 0
    if args.stack:
        child.registers[SP] = args.stack
    if flags & Clone.SETTLS:
        child.registers[TP] = args.tls
    child.policy = 0 if thread.policy & SCHED_RESET_ON_FORK else thread.policy
    child.mask = thread.mask if thread.saved_mask is None else thread.saved_mask
    if not flags & Clone.VM or flags & Clone.VFORK:
        child.alt_stack = thread.alt_stack
    else:
        child.alt_stack = AltStack()
    if kernel.observer is not None and child.process is not thread.process:
        kernel.observer.forked(thread, child.process, cost)
    if flags & Clone.CHILD_CLEARTID:
        child.clear_tid = args.child_tid
    try:
        if flags & Clone.PIDFD:
            thread.mem.write_u32(args.pidfd, args.descriptor)
        if flags & Clone.PARENT_SETTID:
            thread.mem.write_u32(args.parent_tid, child.tid)
        if flags & Clone.CHILD_SETTID:
            child.mem.write_u32(args.child_tid, child.tid)
    except Errno:
        pass  # as in Linux, a bad address here does not undo the clone
    except OutOfMemory:
        kill_for_memory(kernel, child)


def _wait_for_memory(child: Thread) -> Generator[Wait, None, int]:
    process = child.process
    wait = Wait(f"its vfork child {process.pid} to exec or exit", (process.memory_released,))
    while process.borrows_memory:
        try:
            yield wait
        except Interrupted:
            continue
    return child.tid

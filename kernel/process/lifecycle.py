"""How processes and threads begin and end: clone(2), exit(2), the end of a zombie."""

from __future__ import annotations

import errno
from collections.abc import Generator
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING

from emu.machine.registers import A0, SP, TP
from kernel.base.budget import Cost, Kind
from kernel.base.errors import Errno, Interrupted, OutOfMemory
from kernel.base.resource_limits import Resource
from kernel.base.wait import Wait
from kernel.mm import fork
from kernel.process import futex
from kernel.process.process import ChildEvent, Process, Thread
from kernel.process.signal_frame import AltStack
from kernel.process.signals import (
    CLD_EXITED,
    CLD_KILLED,
    HIGHEST,
    SA_NOCLDWAIT,
    SI_KERNEL,
    SIG_IGN,
    Sig,
    SigInfo,
    of_child,
)

if TYPE_CHECKING:
    from kernel.kernel import Kernel
    from kernel.mm.address_space import AddressSpace


class Clone(IntFlag):
    """clone(2)'s flags, above the low byte, which is the exit signal."""

    VM = 0x100
    FS = 0x200
    FILES = 0x400
    SIGHAND = 0x800
    VFORK = 0x4000
    PARENT = 0x8000
    THREAD = 0x1_0000
    SETTLS = 0x8_0000
    PARENT_SETTID = 0x10_0000
    CHILD_CLEARTID = 0x20_0000
    CHILD_SETTID = 0x100_0000
    CLEAR_SIGHAND = 0x1_0000_0000


_UNSUPPORTED = 0x0000_1000 | 0x0002_0000 | 0x7E00_0000 | 0x80  # pidfd, namespaces, newtime
SCHED_RESET_ON_FORK = 0x4000_0000
"""Flag of a policy of sched_setscheduler(2): children start with the default policy."""


@dataclass(slots=True)
class CloneArguments:
    """clone3(2)'s struct, in which clone(2)'s arguments are a subset."""

    flags: int
    exit_signal: int
    stack: int = 0
    parent_tid: int = 0
    tls: int = 0
    child_tid: int = 0


class Lifecycle:
    """Makes and ends processes and threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._more_threads = 0
        """Threads beyond the first of each process."""
        self._next_id = 2
        """Linux gives 1 to init; the first program here is its child, as in a real system."""

    def new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    # Beginning.

    def clone(self, thread: Thread, args: CloneArguments) -> int | Generator[Wait, None, int]:
        """A new process or thread; its id. With VFORK the caller waits until the child execs."""
        flags = args.flags
        if flags & _UNSUPPORTED:
            raise Errno(errno.EINVAL)
        if flags & Clone.THREAD and not flags & Clone.SIGHAND:
            raise Errno(errno.EINVAL)
        if flags & Clone.SIGHAND and (not flags & Clone.VM or flags & Clone.CLEAR_SIGHAND):
            raise Errno(errno.EINVAL)
        self._check_room(thread.process)
        if flags & Clone.THREAD:
            child = self._new_thread(thread)
        else:
            child = self._new_process(thread, args)
        self._kernel.scheduler.add(child)
        self._prepare(thread, child, args)
        if flags & Clone.VFORK and not flags & Clone.THREAD:
            return self._wait_for_memory(child)
        return child.tid

    def _check_room(self, process: Process) -> None:
        """EAGAIN when the user's processes and threads have reached RLIMIT_NPROC."""
        kernel = self._kernel
        most = min(kernel.max_processes, process.limits.soft(Resource.NPROC))
        if len(kernel.processes) + self._more_threads >= most:
            raise Errno(errno.EAGAIN)

    def _new_thread(self, thread: Thread) -> Thread:
        self._kernel.budget.take(Kind.THREAD, Cost.THREAD)
        self._more_threads += 1
        return Thread(thread.process, self.new_id())

    def _new_process(self, thread: Thread, args: CloneArguments) -> Thread:
        parent, flags = thread.process, args.flags
        self._kernel.budget.take(Kind.PROCESS, Cost.PROCESS)
        try:
            files = parent.files.shared() if flags & Clone.FILES else parent.files.copy()
            try:
                space = self._child_space(parent, flags)
            except Errno:
                files.leave()
                raise
        except Errno:
            self._kernel.budget.give_back(Kind.PROCESS, Cost.PROCESS)
            raise
        process = Process(self._kernel, self.new_id(), parent)
        if flags & Clone.PARENT:
            process.parent = parent.parent
        process.space = space
        process.mem = self._kernel.parts.user_memory(space, self._kernel.told_of_faults(process))
        process.files = files
        process.fs = parent.fs if flags & Clone.FS else parent.fs.copy()
        process.handlers = parent.handlers if flags & Clone.SIGHAND else parent.handlers.copy()
        if flags & Clone.CLEAR_SIGHAND:
            process.handlers.reset_for_exec()
        process.sigreturn = parent.sigreturn
        process.limits = parent.limits.copy()
        process.program = parent.program
        process.program.words.users += 1
        process.exit_signal = args.exit_signal
        process.borrows_memory = bool(flags & Clone.VFORK)
        if process.parent is not None:
            process.parent.children[process.pid] = process
        self._kernel.add_process(process)
        return Thread(process, process.pid)

    def _child_space(self, parent: Process, flags: int) -> AddressSpace:
        kernel = self._kernel
        if flags & Clone.VM:
            parent.space.users += 1
            return parent.space
        try:
            space, cost = fork.fork(parent.space, kernel.new_asid(), kernel.fork_policy)
        except OutOfMemory:
            raise Errno(errno.ENOMEM) from None
        kernel.stats.fork(cost)
        kernel.last_fork_cost = cost
        return space

    def _prepare(self, thread: Thread, child: Thread, args: CloneArguments) -> None:
        """The child's registers and what clone writes to memory."""
        kernel, flags = self._kernel, args.flags
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
            cost = None if flags & Clone.VM else kernel.last_fork_cost
            kernel.observer.forked(thread, child.process, cost)
        if flags & Clone.CHILD_CLEARTID:
            child.clear_tid = args.child_tid
        try:
            if flags & Clone.PARENT_SETTID:
                thread.mem.write_u32(args.parent_tid, child.tid)
            if flags & Clone.CHILD_SETTID:
                child.mem.write_u32(args.child_tid, child.tid)
        except Errno:
            pass  # as in Linux, a bad address here does not undo the clone
        except OutOfMemory:
            kernel.kill_for_memory(child)

    def _wait_for_memory(self, child: Thread) -> Generator[Wait, None, int]:
        process = child.process
        wait = Wait(f"its vfork child {process.pid} to exec or exit", (process.memory_released,))
        while process.borrows_memory:
            try:
                yield wait
            except Interrupted:
                continue
        return child.tid

    # Ending.

    def exit_thread(self, thread: Thread, code: int) -> None:
        """exit(2): the last thread takes the process with it."""
        process = thread.process
        if len(process.threads) == 1:
            self.exit_process(process, (code & 0xFF) << 8)
            return
        self._end_thread(thread)

    def _end_thread(self, thread: Thread) -> None:
        kernel, process = self._kernel, thread.process
        futex.let_go(thread)
        if thread.clear_tid and (len(process.threads) > 1 or process.space.users > 1):
            try:
                thread.mem.write_u32(thread.clear_tid, 0)
                kernel.futexes.wake_address(thread.process.space, thread.clear_tid, 1)
            except (Errno, OutOfMemory):
                pass
        if thread.call is not None:
            thread.call.close()
            thread.call = None
        kernel.scheduler.end(thread)
        kernel.forget(thread)
        thread.pending.drop(~0)
        if len(process.threads) > 1:
            self._more_threads -= 1
            kernel.budget.give_back(Kind.THREAD, Cost.THREAD)
        process.threads.pop(thread.tid, None)

    def end_other_threads(self, thread: Thread) -> None:
        """Before exec: only the caller is left, and takes the process's id."""
        process = thread.process
        for other in list(process.threads.values()):
            if other is not thread:
                other.clear_tid = 0
                self._end_thread(other)
        process.threads = {process.pid: thread}
        thread.tid = process.pid

    def exit_process(self, process: Process, status: int) -> None:
        """The whole process ends with wait status ``status``; it is a zombie until waited for."""
        if not process.alive:
            return
        kernel = self._kernel
        process.status = status
        for thread in list(process.threads.values()):
            self._end_thread(thread)
        process.pending.drop(~0)
        process.program.words.release()
        process.files.leave()
        self.release_memory(process)
        if kernel.observer is not None:
            kernel.observer.leaving(process)
        process.space.leave()
        kernel.timers_of.cancel(process)
        if kernel.observer is not None:
            kernel.observer.exited(process)
        self._leave_orphans(process)
        self._become_zombie(process)
        process.ended.wake()

    def release_memory(self, process: Process) -> None:
        """A vfork child no longer uses its parent's memory: the parent goes on."""
        if process.borrows_memory:
            process.borrows_memory = False
            process.memory_released.wake()

    def _leave_orphans(self, process: Process) -> None:
        heir = process.parent
        while heir is not None and not (heir.subreaper and heir.alive):
            heir = heir.parent
        for child in list(process.children.values()):
            child.parent = heir
            if heir is not None and heir.alive:
                heir.children[child.pid] = child
                if not child.alive:
                    heir.child_changed.wake()
            elif not child.alive:
                self.reap(child)
            if child.alive and child.parent_death_signal:
                self._kernel.signals.send_process(child, _plain(child.parent_death_signal))
        process.children.clear()

    def _become_zombie(self, process: Process) -> None:
        parent, status = process.parent, process.status
        assert status is not None
        process.event = ChildEvent.EXITED
        if parent is None or not parent.alive:
            self.reap(process)
            return
        action = parent.handlers.get(Sig.CHLD)
        unwanted = process.exit_signal == Sig.CHLD and (
            action.handler == SIG_IGN or bool(action.flags & SA_NOCLDWAIT)
        )
        if 0 < process.exit_signal <= HIGHEST:
            killed = status & 0x7F
            code, value = (CLD_KILLED, killed) if killed else (CLD_EXITED, status >> 8)
            info = of_child(code, process.pid, process.fs.who.uid, value)
            if process.exit_signal != Sig.CHLD:
                info = _plain(process.exit_signal)
            self._kernel.signals.send_process(parent, info)
        if unwanted:
            self.reap(process)
        parent.child_changed.wake()

    def reap(self, process: Process) -> None:
        """The zombie's status was read, or nobody will read it."""
        if process.parent is not None:
            process.parent.children.pop(process.pid, None)
        if self._kernel.processes.pop(process.pid, None) is not None:
            self._kernel.budget.give_back(Kind.PROCESS, Cost.PROCESS)


def _plain(signo: int) -> SigInfo:
    return SigInfo(signo, SI_KERNEL)

"""System calls on signals: kill(2), rt_sigaction(2), masks, waiting for a signal."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterable

from kernel.base.clock import NS
from kernel.base.errno import EAGAIN, EINTR, EINVAL, ENOMEM, EPERM, ESRCH
from kernel.base.errors import Errno, Interrupted
from kernel.base.wait import Result, Wait
from kernel.process.exit import exit_process
from kernel.process.exit_status import ExitStatus
from kernel.process.process import Process
from kernel.process.signal_delivery import return_from_handler
from kernel.process.signal_send import send_process, send_thread
from kernel.process.signals.signal_frame import MIN_STACK, SS_AUTODISARM, SS_DISABLE, AltStack
from kernel.process.signals.signals import (
    HIGHEST,
    SI_TKILL,
    SI_USER,
    SIGINFO_SIZE,
    UNBLOCKABLE,
    Action,
    Sig,
    SigInfo,
    bit,
    sent_by,
)
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.process.user_ids import getuid

_BLOCK, _UNBLOCK, _SETMASK = 0, 1, 2
_SET_SIZE = 8


def kill(t: SyscallContext, pid: int, signo: int) -> int:
    _check(signo, zero=True)
    if pid > 0:
        targets: list[Process] = [_process(t, pid)]
    else:
        targets = list(_group(t, pid))
        if not targets:
            raise Errno(ESRCH)
    allowed = [process for process in targets if may_signal(t, process, signo)]
    if not allowed and targets:
        raise Errno(EPERM)
    if signo:
        info = sent_by(signo, SI_USER, t.process.pid, getuid(t))
        for process in allowed:
            send_process(t.kernel, process, info)
    return 0


def may_signal(t: SyscallContext, process: Process, signo: int) -> bool:
    if signo == Sig.CONT and process.sid == t.process.sid:
        return True
    return t.fs.credentials.may_signal(process.fs.credentials)


def _group(t: SyscallContext, pid: int) -> Iterable[Process]:
    """Returns the processes that a negative or zero ``pid`` of kill(2) denotes."""
    processes = list(t.kernel.processes.values())
    if pid == -1:
        return [process for process in processes if process is not t.process]
    group = -pid if pid else t.process.pgid
    return [process for process in processes if process.pgid == group]


def _process(t: SyscallContext, pid: int) -> Process:
    process = t.kernel.processes.get(pid)
    if process is None:
        raise Errno(ESRCH)
    return process


def tkill(t: SyscallContext, tid: int, signo: int) -> int:
    return _signal_thread(t, None, tid, _tkill_info(t, signo))


def tgkill(t: SyscallContext, pid: int, tid: int, signo: int) -> int:
    if pid <= 0:
        raise Errno(EINVAL)
    return _signal_thread(t, pid, tid, _tkill_info(t, signo))


def _tkill_info(t: SyscallContext, signo: int) -> SigInfo:
    _check(signo, zero=True)
    return sent_by(signo, SI_TKILL, t.process.pid, getuid(t))


def _signal_thread(t: SyscallContext, pid: int | None, tid: int, info: SigInfo) -> int:
    if tid <= 0:
        raise Errno(EINVAL)
    thread = t.kernel.find_thread(tid)
    if thread is not None and pid in (None, thread.process.pid):
        if info.signo and not send_thread(t.kernel, thread, info):
            raise Errno(EAGAIN)
        return 0
    zombie = t.kernel.processes.get(tid)
    if zombie is not None and not zombie.alive:
        return 0
    raise Errno(ESRCH)


def rt_sigqueueinfo(t: SyscallContext, pid: int, signo: int, address: int) -> int:
    info = _queued_info(t, pid, signo, address)
    process = _process(t, pid)
    if signo and not send_process(t.kernel, process, info):
        raise Errno(EAGAIN)
    return 0


def rt_tgsigqueueinfo(t: SyscallContext, pid: int, tid: int, signo: int, address: int) -> int:
    return _signal_thread(t, pid, tid, _queued_info(t, pid, signo, address))


def _queued_info(t: SyscallContext, pid: int, signo: int, address: int) -> SigInfo:
    _check(signo, zero=True)
    raw = t.mem.read(address, SIGINFO_SIZE)
    (code,) = struct.unpack_from("<i", raw, 8)
    if code >= 0 and pid != t.process.pid:
        raise Errno(EPERM)
    return SigInfo(signo, code, raw[16:])


def _check(signo: int, *, zero: bool = False) -> None:
    if not (0 if zero else 1) <= signo <= HIGHEST:
        raise Errno(EINVAL)


def rt_sigaction(t: SyscallContext, signo: int, new: int, old: int, size: int) -> int:
    if size != _SET_SIZE:
        raise Errno(EINVAL)
    _check(signo)
    if new and signo in (Sig.KILL, Sig.STOP):
        raise Errno(EINVAL)
    handlers = t.process.handlers
    current = handlers.get(signo)
    if new:
        handler, flags, mask = struct.unpack("<3Q", t.mem.read(new, 24))
        handlers.actions[signo] = Action(handler, flags, mask & ~UNBLOCKABLE)
        if handlers.ignores(signo):
            t.process.pending.drop(bit(signo))
            for thread in t.process.threads.values():
                thread.pending.drop(bit(signo))
    if old:
        t.mem.write(old, struct.pack("<3Q", current.handler, current.flags, current.mask))
    return 0


def rt_sigprocmask(t: SyscallContext, how: int, new: int, old: int, size: int) -> int:
    if size != _SET_SIZE:
        raise Errno(EINVAL)
    before = t.thread.mask
    if new:
        mask = t.mem.read_u64(new) & ~UNBLOCKABLE
        if how == _BLOCK:
            t.thread.mask |= mask
        elif how == _UNBLOCK:
            t.thread.mask &= ~mask
        elif how == _SETMASK:
            t.thread.mask = mask
        else:
            raise Errno(EINVAL)
    if old:
        t.mem.write_u64(old, before)
    return 0


def rt_sigpending(t: SyscallContext, address: int, size: int) -> int:
    if size > _SET_SIZE:
        raise Errno(EINVAL)
    pending = (t.thread.pending.mask | t.process.pending.mask) & t.thread.mask
    t.mem.write(address, pending.to_bytes(8, "little")[:size])
    return 0


def rt_sigsuspend(t: SyscallContext, address: int, size: int) -> Result:
    if size != _SET_SIZE:
        raise Errno(EINVAL)
    t.temporary_mask(t.mem.read_u64(address))

    def blocking() -> Generator[Wait, None, int]:
        while True:
            try:
                yield Wait("a signal")
            except Interrupted:
                raise Errno(EINTR) from None

    return blocking()


def rt_sigtimedwait(t: SyscallContext, address: int, info: int, timeout: int, size: int) -> Result:
    """Consumes a pending signal of a set, blocked or not, without running its handler."""
    if size != _SET_SIZE:
        raise Errno(EINVAL)
    signals = t.mem.read_u64(address) & ~UNBLOCKABLE
    deadline = None
    if timeout:
        seconds, nanoseconds = struct.unpack("<qq", t.mem.read(timeout, 16))
        if seconds < 0 or not 0 <= nanoseconds < NS:
            raise Errno(EINVAL)
        deadline = t.kernel.clock.monotonic() + min(seconds, 1 << 31) * NS + nanoseconds

    # Blocked, so that they are consumed here and not delivered.
    t.temporary_mask(t.thread.mask | signals)

    def blocking() -> Generator[Wait, None, int]:
        while True:
            taken = t.thread.pending.take(signals) or t.process.pending.take(signals)
            if taken is not None:
                if info:
                    t.mem.write(info, taken.encode())
                return taken.signo
            if deadline is not None and t.kernel.clock.monotonic() >= deadline:
                raise Errno(EAGAIN)
            try:
                yield Wait("one of a set of signals", (t.process.signalled,), deadline=deadline)
            except Interrupted:
                if not (t.thread.pending.mask | t.process.pending.mask) & signals:
                    raise Errno(EINTR) from None

    return blocking()


def rt_sigreturn(t: SyscallContext) -> Result:
    try:
        return_from_handler(t.kernel, t.thread)
    except Errno:
        exit_process(t.kernel, t.process, ExitStatus(Sig.SEGV))
    return None


def sigaltstack(t: SyscallContext, new: int, old: int) -> int:
    sp = t.kernel.hart.read(2)
    stack = t.thread.alt_stack
    before = stack.encode(sp)
    if new:
        base, flags, size = struct.unpack("<Qi4xQ", t.mem.read(new, 24))
        if stack.holds(sp):
            raise Errno(EPERM)
        mode = flags & ~SS_AUTODISARM & 0xFFFFFFFF
        if mode & ~3 or mode == 3:
            raise Errno(EINVAL)
        if mode & SS_DISABLE:
            t.thread.alt_stack = AltStack()
        elif size < MIN_STACK:
            raise Errno(ENOMEM)
        else:
            t.thread.alt_stack = AltStack(base, size, flags & SS_AUTODISARM)
    if old:
        t.mem.write(old, before)
    return 0


def restart_syscall(t: SyscallContext) -> int:
    raise Errno(EINTR)

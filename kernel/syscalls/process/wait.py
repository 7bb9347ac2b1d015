"""Waiting for children: wait4(2), waitid(2)."""

from __future__ import annotations

from collections.abc import Callable, Generator

from kernel.base.errno import EAGAIN, ECHILD, EINVAL, ESRCH
from kernel.base.errors import Errno
from kernel.base.wait import Result, Wait
from kernel.process.exit import end_info, reap
from kernel.process.exit_status import CONTINUED, stopped
from kernel.process.process import ChildEvent, Process
from kernel.process.signals.signals import CLD_CONTINUED, CLD_STOPPED, Sig, of_child
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.process import pidfd, rusage

_WNOHANG, _WUNTRACED, _WEXITED, _WCONTINUED, _WNOWAIT = 1, 2, 4, 8, 0x0100_0000
_WNOTHREAD, _WALL, _WCLONE = 0x2000_0000, 0x4000_0000, 0x8000_0000
_WAIT4_OPTIONS = _WNOHANG | _WUNTRACED | _WCONTINUED | _WNOTHREAD | _WALL | _WCLONE
_EVENT_OF = {
    _WEXITED: ChildEvent.EXITED,
    _WUNTRACED: ChildEvent.STOPPED,
    _WCONTINUED: ChildEvent.CONTINUED,
}
_P_PIDFD = 3


def wait4(t: SyscallContext, pid: int, status: int, options: int, usage: int) -> Result:
    if options & ~_WAIT4_OPTIONS:
        raise Errno(EINVAL)
    if pid == -(1 << 31):
        raise Errno(ESRCH)
    selects = _filter(t, pid, options)
    events = _events(options | _WEXITED)

    def report(child: Process) -> int:
        if status:
            t.mem.write_u32(status, _wait_status(child))
        if usage:
            t.mem.write(usage, rusage.of_child(child))
        return child.pid

    what = "a child to end" if pid == -1 else f"child {pid} to end"
    return _wait(t, selects, events, report, what=what, hang=not options & _WNOHANG, keep=False)


def waitid(
    t: SyscallContext, kind: int, number: int, info: int, options: int, usage: int
) -> Result:
    wanted = options & (_WEXITED | _WUNTRACED | _WCONTINUED)
    if options & ~(0xF | _WNOWAIT | _WNOTHREAD | _WALL | _WCLONE) or not wanted:
        raise Errno(EINVAL)
    if kind not in (0, 1, 2, 3) or (kind == 1 and number <= 0) or (kind in (2, 3) and number < 0):
        raise Errno(EINVAL)
    fails_at_once = False
    if kind == _P_PIDFD:
        file = pidfd.of(t, number)
        pid, fails_at_once = file.subject.pid, file.nonblocking and not options & _WNOHANG
    else:
        pid = {0: -1, 1: number, 2: -number if number else 0}[kind]
    events = _events(options)

    def report(child: Process) -> int:
        if info:
            t.mem.write(info, _child_info(child))
        if usage:
            t.mem.write(usage, rusage.of_child(child))
        return 0

    if options & _WNOHANG and info:
        t.mem.write(info, bytes(128))
    return _wait(
        t,
        _filter(t, pid, options),
        events,
        report,
        what="a child to change state",
        hang=not options & _WNOHANG,
        keep=bool(options & _WNOWAIT),
        fails_at_once=fails_at_once,
    )


def _events(options: int) -> set[ChildEvent]:
    """Returns the state changes that the options request."""
    return {event for option, event in _EVENT_OF.items() if options & option}


def _filter(t: SyscallContext, pid: int, options: int) -> Callable[[Process], bool]:
    """Returns the filter of children for ``pid`` of wait4(2) and the options: without __WALL or
    __WCLONE, those with the exit signal SIGCHLD, as of fork(2).
    """
    group = -pid or t.process.pgid

    def kind(child: Process) -> bool:
        is_clone = child.exit_signal != Sig.CHLD
        return bool(options & _WALL) or is_clone == bool(options & _WCLONE)

    if pid == -1:
        return kind
    if pid > 0:
        return lambda child: child.pid == pid and kind(child)
    return lambda child: child.pgid == group and kind(child)


def _wait(
    t: SyscallContext,
    selects: Callable[[Process], bool],
    events: set[ChildEvent],
    report: Callable[[Process], int],
    *,
    what: str,
    hang: bool,
    keep: bool,
    fails_at_once: bool = False,
) -> Result:
    result = _try_wait(t, selects, events, report, keep)
    if result is not None:
        return result
    if fails_at_once:
        raise Errno(EAGAIN)
    if not hang:
        return 0

    def blocking() -> Generator[Wait, None, int]:
        while True:
            yield Wait(what, (t.process.child_changed,))
            result = _try_wait(t, selects, events, report, keep)
            if result is not None:
                return result

    return blocking()


def _try_wait(
    t: SyscallContext,
    selects: Callable[[Process], bool],
    events: set[ChildEvent],
    report: Callable[[Process], int],
    keep: bool,
) -> int | None:
    """Reports a child with a requested state change; None when there is none."""
    children = [child for child in t.process.children.values() if selects(child)]
    if not children:
        raise Errno(ECHILD)
    for child in children:
        if child.event in events:
            try:
                return report(child)
            finally:  # also when a result cannot be stored at a bad address, as in Linux
                if not keep:
                    _consume_event(t, child)
    return None


def _consume_event(t: SyscallContext, child: Process) -> None:
    """Clears the child's reported state change, and reaps a zombie."""
    event, child.event = child.event, None
    if event is ChildEvent.EXITED:
        t.process.children_usage.add(child.usage())
        t.process.children_usage.add(child.children_usage)
        reap(t.kernel, child)


def _wait_status(child: Process) -> int:
    if child.event is ChildEvent.EXITED:
        return child.wait_status
    if child.event is ChildEvent.STOPPED:
        return stopped(child.stopped_by)
    return CONTINUED


def _child_info(child: Process) -> bytes:
    if child.event is ChildEvent.EXITED:
        return end_info(child).encode()
    if child.event is ChildEvent.STOPPED:
        code, value = CLD_STOPPED, child.stopped_by
    else:
        code, value = CLD_CONTINUED, int(Sig.CONT)
    return of_child(code, child.pid, child.fs.credentials.uid, value).encode()

"""System calls on processes: clone, execve, exit, wait, ids, groups and sessions."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Generator

from kernel import loader
from kernel.errors import Errno
from kernel.lifecycle import CloneArguments
from kernel.limits import Resource
from kernel.loader import Request
from kernel.process import ChildEvent, Process, Thread
from kernel.signals import (
    CLD_CONTINUED,
    CLD_EXITED,
    CLD_KILLED,
    CLD_STOPPED,
    HIGHEST,
    Sig,
    of_child,
)
from kernel.syscalls import usage as rusage
from kernel.vfs.abi import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW
from kernel.wait import Result, Wait

_MOST_WORDS = 1 << 17

_WNOHANG, _WUNTRACED, _WEXITED, _WCONTINUED, _WNOWAIT = 1, 2, 4, 8, 0x0100_0000
_WNOTHREAD, _WALL, _WCLONE = 0x2000_0000, 0x4000_0000, 0x8000_0000
_WAIT4_OPTIONS = _WNOHANG | _WUNTRACED | _WCONTINUED | _WNOTHREAD | _WALL | _WCLONE
_CONTINUED_STATUS = 0xFFFF


# Beginning and ending.


def clone(t: Thread, flags: int, stack: int, parent_tid: int, tls: int, child_tid: int) -> Result:
    return t.kernel.lifecycle.clone(
        t,
        CloneArguments(
            flags & ~0xFF, _exit_signal(flags & 0xFF), stack, parent_tid, tls, child_tid
        ),
    )


def clone3(t: Thread, address: int, size: int) -> Result:
    if size < 64:
        raise Errno(errno.EINVAL)
    if size > 4096:
        raise Errno(errno.E2BIG)
    if size > 88 and any(t.mem.read(address + 88, size - 88)):
        raise Errno(errno.E2BIG)
    words = struct.unpack("<8Q", t.mem.read(address, 64))
    flags, _, child_tid, parent_tid, exit_signal, stack, stack_size, tls = words
    if flags & 0xFF or bool(stack) != bool(stack_size) or exit_signal > HIGHEST:
        raise Errno(errno.EINVAL)
    if size > 64 and any(t.mem.read(address + 64, min(size, 88) - 64)):
        raise Errno(errno.EINVAL)  # set_tid and cgroup are not supported
    args = CloneArguments(flags, exit_signal, stack + stack_size, parent_tid, tls, child_tid)
    return t.kernel.lifecycle.clone(t, args)


def _exit_signal(signo: int) -> int:
    if signo > HIGHEST:
        raise Errno(errno.EINVAL)
    return signo


def execve(t: Thread, path: int, arguments: int, environment: int) -> Result:
    return _exec(t, _text(t, path), arguments, environment)


def execveat(
    t: Thread, directory: int, path: int, arguments: int, environment: int, flags: int
) -> Result:
    """Of a path below a descriptor, or of the descriptor itself with AT_EMPTY_PATH."""
    if flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW):
        raise Errno(errno.EINVAL)
    name = _text(t, path)
    if not name and flags & AT_EMPTY_PATH:
        name = f"/proc/self/fd/{directory}"
    elif directory != AT_FDCWD and not name.startswith("/"):
        t.files.get(directory)
        name = f"/proc/self/fd/{directory}/{name}"
    return _exec(t, name, arguments, environment)


def _exec(t: Thread, path: str, arguments: int, environment: int) -> Result:
    request = Request(path, _strings(t, arguments), _strings(t, environment))
    if not request.arguments:
        request.arguments.append(b"")
    image = loader.load(t.kernel, t.fs, t.process.limits, request)
    t.kernel.replace_image(t, image)
    return None


def _text(t: Thread, address: int) -> str:
    return t.mem.read_cstr(address).decode("utf-8", "surrogateescape")


def _strings(t: Thread, address: int) -> list[bytes]:
    """A NULL-terminated vector of strings; no vector at all counts as an empty one."""
    strings: list[bytes] = []
    total = 0
    while address:
        pointer = t.mem.read_u64(address + 8 * len(strings))
        if not pointer:
            break
        try:
            text = t.mem.read_cstr(pointer, 1 << 17)
        except Errno as error:
            too_long = error.errno == errno.ENAMETOOLONG
            raise Errno(errno.E2BIG if too_long else error.errno) from None
        strings.append(text)
        total += len(text) + 9
        if len(strings) > _MOST_WORDS or total > 2 << 20:
            raise Errno(errno.E2BIG)
    return strings


def exit_thread(t: Thread, code: int) -> Result:
    t.kernel.lifecycle.exit_thread(t, code)
    return None


def exit_group(t: Thread, code: int) -> Result:
    t.kernel.lifecycle.exit_process(t.process, (code & 0xFF) << 8)
    return None


# Waiting.


def wait4(t: Thread, pid: int, status: int, options: int, usage: int) -> Result:
    if options & ~_WAIT4_OPTIONS:
        raise Errno(errno.EINVAL)
    if pid == -(1 << 31):
        raise Errno(errno.ESRCH)
    chosen = _chooser(t, pid, options)
    events = {ChildEvent.EXITED}
    if options & _WUNTRACED:
        events.add(ChildEvent.STOPPED)
    if options & _WCONTINUED:
        events.add(ChildEvent.CONTINUED)

    def report(child: Process) -> int:
        if status:
            t.mem.write_u32(status, _wait_status(child))
        if usage:
            t.mem.write(usage, rusage.of_child(child))
        return child.pid

    what = "a child to end" if pid == -1 else f"child {pid} to end"
    return _wait(t, chosen, events, report, what=what, hang=not options & _WNOHANG, keep=False)


def waitid(t: Thread, kind: int, number: int, info: int, options: int, usage: int) -> Result:
    wanted = options & (_WEXITED | _WUNTRACED | _WCONTINUED)
    if options & ~(0xF | _WNOWAIT | _WNOTHREAD | _WALL | _WCLONE) or not wanted:
        raise Errno(errno.EINVAL)
    if kind not in (0, 1, 2) or (kind == 1 and number <= 0) or (kind == 2 and number < 0):
        raise Errno(errno.EINVAL)
    pid = {0: -1, 1: number, 2: -number if number else 0}[kind]
    events = set()
    if options & _WEXITED:
        events.add(ChildEvent.EXITED)
    if options & _WUNTRACED:
        events.add(ChildEvent.STOPPED)
    if options & _WCONTINUED:
        events.add(ChildEvent.CONTINUED)

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
        _chooser(t, pid, options),
        events,
        report,
        what="a child to change state",
        hang=not options & _WNOHANG,
        keep=bool(options & _WNOWAIT),
    )


def _chooser(t: Thread, pid: int, options: int) -> Callable[[Process], bool]:
    """Which children wait4's ``pid`` and options mean: without __WALL or __WCLONE only those that
    announce their end with SIGCHLD, as fork's do.
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
    t: Thread,
    chosen: Callable[[Process], bool],
    events: set[ChildEvent],
    report: Callable[[Process], int],
    *,
    what: str,
    hang: bool,
    keep: bool,
) -> Result:
    result = _try_wait(t, chosen, events, report, keep)
    if result is not None:
        return result
    if not hang:
        return 0

    def blocking() -> Generator[Wait, None, int]:
        while True:
            yield Wait(what, (t.process.child_changed,))
            result = _try_wait(t, chosen, events, report, keep)
            if result is not None:
                return result

    return blocking()


def _try_wait(
    t: Thread,
    chosen: Callable[[Process], bool],
    events: set[ChildEvent],
    report: Callable[[Process], int],
    keep: bool,
) -> int | None:
    """The report on a child that has something to tell; None while none has."""
    children = [child for child in t.process.children.values() if chosen(child)]
    if not children:
        raise Errno(errno.ECHILD)
    for child in children:
        if child.event in events:
            result = report(child)
            if not keep:
                event, child.event = child.event, None
                if event is ChildEvent.EXITED:
                    t.process.children_cpu_ns += child.cpu_ns + child.children_cpu_ns
                    t.kernel.lifecycle.reap(child)
            return result
    return None


def _wait_status(child: Process) -> int:
    if child.event is ChildEvent.EXITED:
        return child.status or 0
    if child.event is ChildEvent.STOPPED:
        return child.stopped_by << 8 | 0x7F
    return _CONTINUED_STATUS


def _child_info(child: Process) -> bytes:
    status = child.status or 0
    if child.event is ChildEvent.EXITED:
        killed = status & 0x7F
        code, value = (CLD_KILLED, killed) if killed else (CLD_EXITED, status >> 8)
    elif child.event is ChildEvent.STOPPED:
        code, value = CLD_STOPPED, child.stopped_by
    else:
        code, value = CLD_CONTINUED, int(Sig.CONT)
    return of_child(code, child.pid, child.fs.who.uid, value).encode()


# Who one is.


def getpid(t: Thread) -> int:
    return t.process.pid


def gettid(t: Thread) -> int:
    return t.tid


def getppid(t: Thread) -> int:
    return t.process.ppid


def getpgid(t: Thread, pid: int) -> int:
    return _process(t, pid).pgid


def getsid(t: Thread, pid: int) -> int:
    return _process(t, pid).sid


def setpgid(t: Thread, pid: int, pgid: int) -> int:
    if pgid < 0:
        raise Errno(errno.EINVAL)
    process = _process(t, pid)
    group = pgid or process.pid
    if process is not t.process and process.parent is not t.process:
        raise Errno(errno.ESRCH)
    if process is not t.process and process.has_execed:
        raise Errno(errno.EACCES)
    if process.sid == process.pid or process.sid != t.process.sid:
        raise Errno(errno.EPERM)
    if group != process.pid and not any(
        other.pgid == group and other.sid == t.process.sid for other in t.kernel.processes.values()
    ):
        raise Errno(errno.EPERM)
    process.pgid = group
    return 0


def setsid(t: Thread) -> int:
    process = t.process
    if any(other.pgid == process.pid for other in t.kernel.processes.values()):
        raise Errno(errno.EPERM)
    process.sid = process.pgid = process.pid
    return process.pid


def _process(t: Thread, pid: int) -> Process:
    if not pid:
        return t.process
    process = t.kernel.processes.get(pid)
    if process is None:
        raise Errno(errno.ESRCH)
    return process


def set_tid_address(t: Thread, address: int) -> int:
    t.clear_tid = address
    return t.tid


def set_robust_list(t: Thread, address: int, size: int) -> int:
    if size != 24:
        raise Errno(errno.EINVAL)
    t.robust_list = address
    return 0


def get_robust_list(t: Thread, pid: int, address: int, size: int) -> int:
    if pid not in (0, t.tid):
        raise Errno(errno.EPERM)
    t.mem.write_u64(address, t.robust_list)
    t.mem.write_u64(size, 24)
    return 0


# Limits and scheduling.


def prlimit64(t: Thread, pid: int, number: int, new: int, old: int) -> int:
    process = _process(t, pid)
    if number not in Resource._value2member_map_:
        raise Errno(errno.EINVAL)
    resource = Resource(number)
    current = process.limits[resource]
    if new:
        soft, hard = struct.unpack("<QQ", t.mem.read(new, 16))
        if soft > hard:
            raise Errno(errno.EINVAL)
        if hard > current[1]:
            raise Errno(errno.EPERM)
        _set_limit(process, resource, soft, hard)
    if old:
        t.mem.write(old, struct.pack("<QQ", *current))
    return 0


def _set_limit(process: Process, resource: Resource, soft: int, hard: int) -> None:
    process.limits[resource] = soft, hard
    if resource is Resource.STACK:
        process.space.stack_limit = soft
    elif resource is Resource.NOFILE:
        process.files.limit = soft


def getrlimit(t: Thread, resource: int, address: int) -> int:
    return prlimit64(t, 0, resource, 0, address)


def setrlimit(t: Thread, resource: int, address: int) -> int:
    return prlimit64(t, 0, resource, address, 0)


def sched_yield(t: Thread) -> int:
    t.kernel.yielded = True
    return 0


def sched_getaffinity(t: Thread, pid: int, size: int, mask: int) -> int:
    """One hart: bit 0."""
    _thread(t, pid)
    if size < 8 or size & 7:
        raise Errno(errno.EINVAL)
    t.mem.write_u64(mask, 1)
    return 8


def sched_setaffinity(t: Thread, pid: int, size: int, mask: int) -> int:
    _thread(t, pid)
    wanted = int.from_bytes(t.mem.read(mask, min(size, 128)), "little")
    if not wanted & 1:
        raise Errno(errno.EINVAL)
    return 0


def sched_getscheduler(t: Thread, pid: int) -> int:
    _thread(t, pid)
    return 0


def sched_getparam(t: Thread, pid: int, address: int) -> int:
    _thread(t, pid)
    t.mem.write_u32(address, 0)
    return 0


def sched_setscheduler(t: Thread, pid: int, policy: int, address: int) -> int:
    _thread(t, pid)
    priority = t.mem.read_u32(address)
    if policy not in (0, 3, 5) or priority:
        raise Errno(errno.EPERM if policy in (1, 2) else errno.EINVAL)
    return 0


def sched_priority_limit(t: Thread, policy: int) -> int:
    if policy not in (0, 3, 5):
        raise Errno(errno.EINVAL)
    return 0


def _thread(t: Thread, tid: int) -> Thread:
    if not tid:
        return t
    for process in t.kernel.processes.values():
        if tid in process.threads:
            return process.threads[tid]
    raise Errno(errno.ESRCH)


def getcpu(t: Thread, cpu: int, node: int, cache: int) -> int:
    if cpu:
        t.mem.write_u32(cpu, 0)
    if node:
        t.mem.write_u32(node, 0)
    return 0

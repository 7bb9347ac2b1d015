"""Confines the process of a student's code: system calls, memory and CPU time.

Python code cannot be confined by Python code, so nothing here hides an object or a module. The
host's kernel refuses each system call that is not on the list of ``seccomp.py``, also from ctypes,
and limits memory and time. The process keeps its own memory and the descriptors it inherited. The
grader must therefore treat all data from them as untrusted, and wait with a time limit: a process
that sleeps uses no CPU time.
"""

from __future__ import annotations

import ctypes
import enum
import os
import resource
import signal
import sys
from collections.abc import Iterable
from typing import NamedTuple

from emu.lab.sandbox import seccomp

# linux/prctl.h, linux/seccomp.h
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_GET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 21, 38
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1

_PARENT = os.getppid()
"""Process id of the parent, read as early as possible: see ``end_with``."""


class Level(enum.Enum):
    FULL = "full"
    """The limits are set, and only the listed system calls are allowed."""
    LIMITS_ONLY = "limits only"
    """System calls are not filtered: the code has its user's rights, but can open no descriptor."""


class Confinement(NamedTuple):
    """``reason`` names each measure that failed and why; it is empty if none did."""

    level: Level
    reason: str


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def close_others(keep: Iterable[int]) -> None:
    """Closes all descriptors except ``keep``; must be called before ``confine``."""
    needed = set(keep)
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            descriptors = {int(name) for name in os.listdir(folder)}
            break
        except OSError:
            continue
    else:
        descriptors = set(range(os.sysconf("SC_OPEN_MAX")))
    for descriptor in descriptors - needed:
        try:
            os.close(descriptor)
        except OSError:
            continue  # the folder's own, closed by now


def confine(memory: int, cpu_seconds: int, parent: int = _PARENT) -> Confinement:
    """Confines this process permanently, with all its threads.

    ``memory`` is the limit of the address space in bytes, including the interpreter's 20 to 40 MB.
    After ``cpu_seconds`` of CPU time the process gets SIGXCPU, one second later SIGKILL.
    ``parent`` is the parent's pid; it should be passed, because the parent may have ended before
    getppid(2) is called here.
    """
    missing = _limit(memory, cpu_seconds)
    if sys.platform == "linux":
        refused = _confine_on_linux(parent)
    else:
        refused = f"{sys.platform} has no seccomp"
    reason = "; ".join([*missing, *filter(None, [refused])])
    return Confinement(Level.LIMITS_ONLY if reason else Level.FULL, reason)


def _limit(memory: int, cpu_seconds: int) -> list[str]:
    """Sets the limits (setrlimit(2)). Returns those that could not be set."""
    limits = {
        "RLIMIT_AS": (memory, memory),
        "RLIMIT_CPU": (cpu_seconds, cpu_seconds + 1),  # SIGXCPU can be handled: SIGKILL follows
        "RLIMIT_NOFILE": (0, 0),  # open descriptors remain usable; no new one can be opened
        "RLIMIT_FSIZE": (0, 0),
        "RLIMIT_NPROC": (0, 0),  # does not apply to root: the filter does
        "RLIMIT_CORE": (0, 0),
    }
    missing = []
    for name, (soft, hard) in limits.items():
        number: int = getattr(resource, name)
        _, ceiling = resource.getrlimit(number)
        if ceiling == resource.RLIM_INFINITY:
            ceiling = hard
        try:
            resource.setrlimit(number, (min(soft, ceiling), min(hard, ceiling)))
        except (OSError, ValueError) as error:
            missing.append(f"{name}: {error}")  # macOS: no RLIMIT_AS below the mapped size
    return missing


def _confine_on_linux(parent: int) -> str:
    """Installs the filter (prctl(2), seccomp(2)). Returns the reason if that failed, else ''."""
    libc = ctypes.CDLL(None, use_errno=True)
    end_with(parent)
    # No ptrace(2) by the user's other processes, and no dump by a core_pattern program, which
    # RLIMIT_CORE does not prevent (core(5)).
    _prctl(libc, _PR_SET_DUMPABLE, 0)
    # Required to install a filter without CAP_SYS_ADMIN (seccomp(2)).
    if _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1):
        return f"no_new_privs was refused: {os.strerror(ctypes.get_errno())}"
    architecture = seccomp.ARCHITECTURES.get(os.uname().machine)
    if architecture is None or sys.maxsize < 2**32:
        return f"no seccomp filter for {os.uname().machine}"
    code = seccomp.program(architecture, os.getpid())
    answer = libc.syscall(
        ctypes.c_long(architecture.seccomp),
        ctypes.c_long(_SECCOMP_SET_MODE_FILTER),
        ctypes.c_long(_SECCOMP_FILTER_FLAG_TSYNC),  # a thread without the filter could bypass it
        ctypes.byref(_Program(len(code) // 8, code)),
    )
    if answer:
        why = os.strerror(ctypes.get_errno()) if answer < 0 else f"thread {answer} has another"
        return f"the seccomp filter was refused: {why}"
    # An emulated kernel may return success without a filter. The filter refuses this prctl.
    if _prctl(libc, _PR_GET_SECCOMP, 0) >= 0 or ctypes.get_errno() != seccomp.EPERM:
        return "the seccomp filter was accepted, but has no effect"
    return ""


def end_with(parent: int) -> None:
    """Ends this process when the parent's thread that started it ends (prctl(2)).

    No signal is sent for a parent that ended before the call, hence the check after it.
    """
    if sys.platform != "linux":
        return
    _prctl(ctypes.CDLL(None, use_errno=True), _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> int:
    words = [ctypes.c_ulong(word) for word in (value, 0, 0, 0)]
    answer: int = libc.prctl(ctypes.c_int(option), *words)
    return answer

"""The wall around a student's code: what its process may ask of the host's kernel.

Python cannot be made safe from within, so nothing here hides an object or a module: whatever the
code does, with ctypes too, the kernel refuses what is not on the list of ``seccomp.py``, and bounds
memory and time. What is left is the process's own memory and the descriptors it was given. So the
grader must take all that comes out of them for the student's word, and wait with a time limit: a
process that sleeps uses no processor time.
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
"""Who started us, asked as early as can be: see ``_die_with``."""


class Level(enum.Enum):
    FULL = "full"
    """The limits hold, and only the listed system calls are answered."""
    LIMITS_ONLY = "limits only"
    """The code may read and change what its user may, as far as that takes no descriptor."""


class Confinement(NamedTuple):
    """``reason`` says what does not hold, and why; it is empty when all does."""

    level: Level
    reason: str


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def close_others(keep: Iterable[int]) -> None:
    """Close all descriptors but these; to be called before ``confine``."""
    kept = set(keep)
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            descriptors = {int(name) for name in os.listdir(folder)}
            break
        except OSError:
            continue
    else:
        descriptors = set(range(os.sysconf("SC_OPEN_MAX")))
    for descriptor in descriptors - kept:
        try:
            os.close(descriptor)
        except OSError:
            continue  # the folder's own, closed by now


def confine(memory: int, cpu_seconds: int, parent: int = _PARENT) -> Confinement:
    """Confine this process, with all its threads, for good.

    ``memory`` bounds the whole address space, so the interpreter's own 20 to 40 MB too.
    After ``cpu_seconds`` of processor time comes SIGXCPU, a second later SIGKILL. ``parent``
    is the grader; it ought to say its own pid, for it may have died before we could ask.
    """
    lacking = _limit(memory, cpu_seconds)
    if sys.platform == "linux":
        refused = _confine_on_linux(parent)
    else:
        refused = f"{sys.platform} has no seccomp"
    reason = "; ".join([*lacking, *filter(None, [refused])])
    return Confinement(Level.LIMITS_ONLY if reason else Level.FULL, reason)


def _limit(memory: int, cpu_seconds: int) -> list[str]:
    """setrlimit(2); returns what could not be limited."""
    limits = {
        "RLIMIT_AS": (memory, memory),
        "RLIMIT_CPU": (cpu_seconds, cpu_seconds + 1),  # SIGXCPU can be handled: SIGKILL follows
        "RLIMIT_NOFILE": (0, 0),  # what is open stays so; nothing else gets a number
        "RLIMIT_FSIZE": (0, 0),
        "RLIMIT_NPROC": (0, 0),  # root may fork nevertheless, but for the filter
        "RLIMIT_CORE": (0, 0),
    }
    lacking = []
    for name, (soft, hard) in limits.items():
        number: int = getattr(resource, name)
        _, ceiling = resource.getrlimit(number)
        if ceiling == resource.RLIM_INFINITY:
            ceiling = hard
        try:
            resource.setrlimit(number, (min(soft, ceiling), min(hard, ceiling)))
        except (OSError, ValueError) as error:
            lacking.append(f"{name}: {error}")  # macOS: no RLIMIT_AS below what is mapped
    return lacking


def _confine_on_linux(parent: int) -> str:
    """Returns why there is no filter, or nothing. prctl(2), seccomp(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    _die_with(parent, libc)
    # Not to be looked into by the user's other processes, nor by a program that takes core dumps:
    # RLIMIT_CORE does not keep one from that (core(5)).
    _prctl(libc, _PR_SET_DUMPABLE, 0)
    # Without it only root may install a filter, and a setuid program would run under ours.
    if _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1):
        return f"no_new_privs was refused: {os.strerror(ctypes.get_errno())}"
    architecture = seccomp.ARCHITECTURES.get(os.uname().machine)
    if architecture is None or sys.maxsize < 2**32:
        return f"no seccomp filter is known for this {os.uname().machine}"
    code = seccomp.program(architecture, os.getpid())
    answer = libc.syscall(
        ctypes.c_long(architecture.seccomp),
        ctypes.c_long(_SECCOMP_SET_MODE_FILTER),
        ctypes.c_long(_SECCOMP_FILTER_FLAG_TSYNC),  # a thread without it would be a way out
        ctypes.byref(_Program(len(code) // 8, code)),
    )
    if answer:
        why = os.strerror(ctypes.get_errno()) if answer < 0 else f"thread {answer} has another"
        return f"the seccomp filter was refused: {why}"
    # An emulated kernel may say yes and do nothing. Ours is there if it refuses this very question.
    if _prctl(libc, _PR_GET_SECCOMP, 0) >= 0 or ctypes.get_errno() != seccomp.EPERM:
        return "the seccomp filter was accepted, but does not hold"
    return ""


def _die_with(parent: int, libc: ctypes.CDLL) -> None:
    """End with the grader: to be exact, with its thread that started us (prctl(2)).

    A parent that went before the call sends nothing any more, hence the second look.
    """
    _prctl(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> int:
    words = [ctypes.c_ulong(word) for word in (value, 0, 0, 0)]
    answer: int = libc.prctl(ctypes.c_int(option), *words)
    return answer

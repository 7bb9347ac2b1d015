"""The seccomp(2) filter: an allow-list of the system calls that a running interpreter needs.

Every other call returns EPERM, so a student sees a PermissionError at the calling line. This
includes calls that a new kernel adds, and those of the x32 ABI, whose numbers have bit 30 set. A
call of another architecture (``int 0x80`` on x86-64) kills the process: its numbers have other
meanings, and an interpreter makes no such call.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

EPERM = 1  # asm-generic/errno-base.h: Python raises PermissionError for it

# linux/filter.h: classic BPF. linux/seccomp.h: return values.
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_ANY = 0x15, 0x45
_KILL, _REFUSE, _ALLOW = 0x8000_0000, 0x0005_0000 | EPERM, 0x7FFF_0000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in struct seccomp_data."""

# Equal on all architectures below: asm-generic/mman.h, linux/mman.h, linux/futex.h.
_PROT_EXEC = 0x4
_MAP_PRIVATE_ANONYMOUS = 0x02 | 0x20
_MAP_ANYHOW = 0x10 | 0x4000 | 0x2_0000
"""MAP_FIXED, MAP_NORESERVE, MAP_STACK: still private anonymous memory."""
_ADVICE = (4, 8, 14, 15)
"""MADV_DONTNEED, FREE, HUGEPAGE, NOHUGEPAGE. With others root can offline frames of the host."""
_FUTEX_OPERATIONS = (0, 1, 9, 10)
"""WAIT, WAKE, WAIT_BITSET, WAKE_BITSET: locks need these. Others were used by exploits."""
_FUTEX_HOW = 0x80 | 0x100
"""FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME."""

_X86_64 = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10,
    "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15,
    "writev": 20, "sched_yield": 24, "mremap": 25, "madvise": 28, "nanosleep": 35, "getpid": 39,
    "exit": 60, "gettimeofday": 96, "sigaltstack": 131, "gettid": 186, "futex": 202,
    "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230,
    "exit_group": 231, "tgkill": 234, "getrandom": 318,
}  # fmt: skip
"""asm/unistd_64.h."""

_GENERIC = {
    "close": 57, "lseek": 62, "read": 63, "write": 64, "writev": 66, "fstat": 80, "exit": 93,
    "exit_group": 94, "futex": 98, "nanosleep": 101, "clock_gettime": 113, "clock_getres": 114,
    "clock_nanosleep": 115, "sched_yield": 124, "restart_syscall": 128, "tgkill": 131,
    "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
    "gettimeofday": 169, "getpid": 172, "gettid": 178, "brk": 214, "munmap": 215, "mremap": 216,
    "mmap": 222, "mprotect": 226, "madvise": 233, "getrandom": 278,
}  # fmt: skip
"""asm-generic/unistd.h."""


class Architecture(NamedTuple):
    """``audit``: AUDIT_ARCH of linux/audit.h; ``seccomp``: number of seccomp(2)."""

    audit: int
    seccomp: int
    calls: dict[str, int]


ARCHITECTURES = {
    "x86_64": Architecture(0xC000_003E, 317, _X86_64),
    "aarch64": Architecture(0xC000_00B7, 277, _GENERIC),
    "riscv64": Architecture(0xC000_00F3, 277, _GENERIC),
}
"""Keys: machine names of uname(2). All are little-endian, which ``_load`` requires."""


def program(architecture: Architecture, pid: int) -> bytes:
    """Returns the filter for process ``pid``: an array of struct sock_filter."""
    code = _instruction(_LOAD, _ARCHITECTURE)
    code += _instruction(_IF_EQUAL, architecture.audit, 1, 0) + _answer(_KILL)
    code += _instruction(_LOAD, _NUMBER)
    checks = _checks(pid)
    for name, number in architecture.calls.items():
        then = checks.get(name, b"") + _answer(_ALLOW)
        code += _instruction(_IF_EQUAL, number, 0, len(then) // 8) + then
    return code + _answer(_REFUSE)


def _checks(pid: int) -> dict[str, bytes]:
    """Returns the checks of arguments by call. Each reads the low 32 bits: the kernel reads an int,
    or refuses higher bits, and those of mmap and mprotect do not affect these checks.
    """
    return {
        # No executable memory: machine code could make only the calls above, but this makes an
        # attack harder. mmap: inherited descriptors must not be mapped.
        "mmap": _none_of(2, _PROT_EXEC)
        + _one_of(3, 0xFFFF_FFFF ^ _MAP_ANYHOW, (_MAP_PRIVATE_ANONYMOUS,)),
        "mprotect": _none_of(2, _PROT_EXEC),
        "madvise": _one_of(2, 0xFFFF_FFFF, _ADVICE),
        "futex": _one_of(1, 0xFFFF_FFFF ^ _FUTEX_HOW, _FUTEX_OPERATIONS),
        # raise(3) and abort(3) signal the process itself only.
        "tgkill": _one_of(0, 0xFFFF_FFFF, (pid,)),
    }


# A check refuses, or continues after itself. It overwrites the accumulator, which had the number of
# the call, so the code after it must return.


def _none_of(argument: int, bits: int) -> bytes:
    return _load(argument) + _instruction(_IF_ANY, bits, 0, 1) + _answer(_REFUSE)


def _one_of(argument: int, mask: int, values: tuple[int, ...]) -> bytes:
    code = _load(argument) + _instruction(_AND, mask)
    for left, value in zip(range(len(values), 0, -1), values, strict=True):
        code += _instruction(_IF_EQUAL, value, left, 0)
    return code + _answer(_REFUSE)


def _load(argument: int) -> bytes:
    return _instruction(_LOAD, _ARGUMENTS + 8 * argument)


def _answer(answer: int) -> bytes:
    return _instruction(_RETURN, answer)


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)

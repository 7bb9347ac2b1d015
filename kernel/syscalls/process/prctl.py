"""Options of prctl(2), in a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from kernel.base.errno import EINVAL, EPERM
from kernel.base.errors import Errno
from kernel.process.attributes import Attributes
from kernel.process.process import Process
from kernel.process.signals.signals import HIGHEST
from kernel.syscalls.context import SyscallContext

_LAST_CAPABILITY = 40
_LONGEST_SLACK = (1 << 63) - 1
_AMBIENT_IS_SET, _AMBIENT_RAISE, _AMBIENT_LOWER, _AMBIENT_CLEAR_ALL = 1, 2, 3, 4


def prctl(t: SyscallContext, option: int, a: int, b: int, c: int, d: int) -> int:
    row = _OPTIONS.get(option)
    if row is None or any((a, b, c, d)[4 - row.zeros :]):
        raise Errno(EINVAL)
    return row.function(t, a, b)


def _check(valid: bool) -> None:
    if not valid:
        raise Errno(EINVAL)


def _set_death_signal(t: SyscallContext, signo: int, _: int) -> int:
    _check(signo <= HIGHEST)
    t.process.parent_death_signal = signo
    return 0


def _get_death_signal(t: SyscallContext, address: int, _: int) -> int:
    t.mem.write_u32(address, t.process.parent_death_signal)
    return 0


def _set_name(t: SyscallContext, address: int, _: int) -> int:
    process: Process = t.process
    name = t.mem.read(address, 16).split(b"\0")[0][:15]
    process.rename(name.decode("utf-8", "replace"))
    return 0


def _get_name(t: SyscallContext, address: int, _: int) -> int:
    name = t.process.program.name.encode("utf-8", "surrogateescape")[:15]
    t.mem.write(address, name.ljust(16, b"\0"))
    return 0


def _set_dumpable(t: SyscallContext, value: int, _: int) -> int:
    _check(value <= 1)
    t.process.attributes.dumpable = value
    return 0


def _set_keepcaps(t: SyscallContext, value: int, _: int) -> int:
    _check(value <= 1)
    t.process.attributes.keeps_capabilities = value
    return 0


def _set_timing(t: SyscallContext, value: int, _: int) -> int:
    _check(value == 0)
    return 0


def _read_bounding_set(t: SyscallContext, capability: int, _: int) -> int:
    """Returns 1: the bounding set has all capabilities."""
    _check(capability <= _LAST_CAPABILITY)
    return 1


def _refuse(t: SyscallContext, a: int, b: int) -> int:
    raise Errno(EPERM)


def _set_slack(t: SyscallContext, nanoseconds: int, _: int) -> int:
    """Stores the timer slack, which has no effect; 0 restores the default."""
    valid = 0 < nanoseconds <= _LONGEST_SLACK
    t.process.attributes.timer_slack = nanoseconds if valid else Attributes().timer_slack
    return 0


def _set_subreaper(t: SyscallContext, value: int, _: int) -> int:
    t.process.subreaper = bool(value)
    return 0


def _get_subreaper(t: SyscallContext, address: int, _: int) -> int:
    t.mem.write_u32(address, t.process.subreaper)
    return 0


def _set_no_new_privileges(t: SyscallContext, value: int, _: int) -> int:
    _check(value == 1)
    t.process.attributes.no_new_privileges = 1
    return 0


def _get_tid_address(t: SyscallContext, address: int, _: int) -> int:
    t.mem.write_u64(address, t.thread.clear_tid)
    return 0


def _set_no_huge_pages(t: SyscallContext, value: int, _: int) -> int:
    space = t.process.space
    space.set_huge_pages(replace(space.huge_pages, disabled=value != 0))
    return 0


def _ambient(t: SyscallContext, what: int, capability: int) -> int:
    """Executes PR_CAP_AMBIENT for an empty set: there are no capabilities."""
    _check(_AMBIENT_IS_SET <= what <= _AMBIENT_CLEAR_ALL and capability <= _LAST_CAPABILITY)
    _check(what != _AMBIENT_CLEAR_ALL or not capability)
    if what == _AMBIENT_RAISE:
        raise Errno(EPERM)
    return 0


class _Option(NamedTuple):
    function: Callable[[SyscallContext, int, int], int]
    zeros: int = 0
    """Number of trailing arguments that must be 0."""


_OPTIONS = {
    1: _Option(_set_death_signal),
    2: _Option(_get_death_signal),
    3: _Option(lambda t, a, b: t.process.attributes.dumpable),
    4: _Option(_set_dumpable),
    7: _Option(lambda t, a, b: t.process.attributes.keeps_capabilities),
    8: _Option(_set_keepcaps),
    13: _Option(lambda t, a, b: 0),
    14: _Option(_set_timing),
    15: _Option(_set_name),
    16: _Option(_get_name),
    21: _Option(lambda t, a, b: 0),  # PR_GET_SECCOMP
    23: _Option(_read_bounding_set),
    24: _Option(_refuse),
    27: _Option(lambda t, a, b: 0),  # PR_GET_SECUREBITS
    28: _Option(_refuse),
    29: _Option(_set_slack),
    30: _Option(lambda t, a, b: t.process.attributes.timer_slack),
    35: _Option(_refuse, zeros=2),  # PR_SET_MM
    36: _Option(_set_subreaper),
    37: _Option(_get_subreaper),
    38: _Option(_set_no_new_privileges, zeros=3),
    39: _Option(lambda t, a, b: t.process.attributes.no_new_privileges, zeros=4),
    40: _Option(_get_tid_address),
    41: _Option(_set_no_huge_pages, zeros=3),
    42: _Option(lambda t, a, b: int(t.process.space.huge_pages.disabled), zeros=4),
    47: _Option(_ambient, zeros=2),
}
"""Options by number (PR_… of linux/prctl.h)."""

"""Files of /proc/PID that accept a number or a name: comm, oom_score_adj, coredump_filter,
clear_refs.
"""

from __future__ import annotations

from kernel.base.errno import EACCES, EINVAL, ERANGE, ESRCH
from kernel.base.errors import Errno
from kernel.vfs.proc.protocol import ProcCaller, ProcProcess

_LEAST, _MOST = -1000, 1000
_LONGEST_NAME = 15
_FILTER_BITS = 0x1FF
_INT = range(-(1 << 31), 1 << 31)


def set_name(process: ProcProcess, caller: ProcCaller, text: bytes) -> None:
    """Sets the short name; only its own threads may (EINVAL)."""
    if caller.process is not process:
        raise Errno(EINVAL)
    name = text[:_LONGEST_NAME].split(b"\0")[0]
    process.rename(name.decode("utf-8", "surrogateescape"))


def set_oom_adjustment(process: ProcProcess, text: bytes) -> None:
    """EACCES below the value that it had, since that needs CAP_SYS_RESOURCE."""
    value = _integer(text, 0, _INT)
    if not _LEAST <= value <= _MOST:
        raise Errno(EINVAL)
    attributes = process.attributes
    if value < attributes.oom_score_least:
        raise Errno(EACCES)
    attributes.oom_score_adjustment = value


def set_core_filter(process: ProcProcess, text: bytes) -> None:
    """ESRCH for a zombie."""
    if text.removesuffix(b"\n").strip() != text.removesuffix(b"\n"):
        raise Errno(EINVAL)
    value = _integer(text, 0, range(1 << 32))
    if not process.alive:
        raise Errno(ESRCH)
    process.attributes.core_filter = value & _FILTER_BITS


def clear_refs(process: ProcProcess, text: bytes) -> None:
    value = _integer(text, 10, _INT)
    if process.alive:
        process.memory.clear_refs(value)


def _integer(text: bytes, base: int, possible: range) -> int:
    """The number in a line (kstrtoint() of Linux): EINVAL for another text, ERANGE for one that is
    not ``possible``. In base 0 a leading 0 means octal.
    """
    word = text.strip()
    if base == 0 and word[:1] == b"0" and word[1:].isdigit():
        base = 8
    try:
        if b"_" in word:
            raise ValueError
        value = int(word, base)
    except ValueError:
        raise Errno(EINVAL) from None
    if value not in possible:
        raise Errno(EINVAL if possible.start == 0 > value else ERANGE)
    return value

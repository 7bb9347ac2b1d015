"""``--trace syscalls``: one line for each system call, in the format of strace(1)."""

from __future__ import annotations

from collections.abc import Callable

from emu.observe.model.guest_memory import peek_ahead
from kernel.base.errno import NAMES, error_text
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking.fork_cost import ForkCost
from kernel.process.observer import Observer
from kernel.process.process import Process, Thread
from kernel.process.signals import signals
from kernel.syscalls.table import TABLE
from kernel.vfs.core import linux_abi

_LONGEST_TEXT = 32
_LONGEST_PATH = 256
_POINTER_RESULTS = frozenset(("brk", "mmap", "mremap"))
_PROT = ((1, "PROT_READ"), (2, "PROT_WRITE"), (4, "PROT_EXEC"))
_MAP = (
    (1, "MAP_SHARED"),
    (2, "MAP_PRIVATE"),
    (0x10, "MAP_FIXED"),
    (0x20, "MAP_ANONYMOUS"),
    (0x100, "MAP_GROWSDOWN"),
    (0x4000, "MAP_NORESERVE"),
    (0x8000, "MAP_POPULATE"),
    (0x2_0000, "MAP_STACK"),
    (0x4_0000, "MAP_HUGETLB"),
    (0x10_0000, "MAP_FIXED_NOREPLACE"),
)
_OPEN = (
    (linux_abi.O_CREAT, "O_CREAT"),
    (linux_abi.O_EXCL, "O_EXCL"),
    (linux_abi.O_TRUNC, "O_TRUNC"),
    (linux_abi.O_APPEND, "O_APPEND"),
    (linux_abi.O_NONBLOCK, "O_NONBLOCK"),
    (linux_abi.O_DIRECTORY, "O_DIRECTORY"),
    (linux_abi.O_NOFOLLOW, "O_NOFOLLOW"),
    (linux_abi.O_CLOEXEC, "O_CLOEXEC"),
    (linux_abi.O_PATH, "O_PATH"),
)

_ADVICE = {
    **dict(enumerate(("NORMAL", "RANDOM", "SEQUENTIAL", "WILLNEED", "DONTNEED"))),
    8: "FREE",
    9: "REMOVE",
    10: "DONTFORK",
    11: "DOFORK",
    12: "MERGEABLE",
    13: "UNMERGEABLE",
    14: "HUGEPAGE",
    15: "NOHUGEPAGE",
    16: "DONTDUMP",
    17: "DODUMP",
    18: "WIPEONFORK",
    19: "KEEPONFORK",
    20: "COLD",
    21: "PAGEOUT",
    22: "POPULATE_READ",
    23: "POPULATE_WRITE",
    24: "DONTNEED_LOCKED",
    25: "COLLAPSE",
}
"""Names of madvise(2), without MADV_ (asm-generic/mman-common.h)."""

_NAMED = {
    "mapflags": _MAP,
    "cloneflags": (
        (0x100, "CLONE_VM"),
        (0x200, "CLONE_FS"),
        (0x400, "CLONE_FILES"),
        (0x800, "CLONE_SIGHAND"),
        (0x4000, "CLONE_VFORK"),
        (0x8000, "CLONE_PARENT"),
        (0x1_0000, "CLONE_THREAD"),
        (0x4_0000, "CLONE_SYSVSEM"),
        (0x8_0000, "CLONE_SETTLS"),
        (0x10_0000, "CLONE_PARENT_SETTID"),
        (0x20_0000, "CLONE_CHILD_CLEARTID"),
        (0x100_0000, "CLONE_CHILD_SETTID"),
        (signals.Sig.CHLD, "SIGCHLD"),
    ),
    "waitoptions": (
        (1, "WNOHANG"),
        (2, "WUNTRACED"),
        (4, "WEXITED"),
        (8, "WCONTINUED"),
        (0x0100_0000, "WNOWAIT"),
    ),
    "atflags": (
        (0x100, "AT_SYMLINK_NOFOLLOW"),
        (0x200, "AT_REMOVEDIR"),
        (0x400, "AT_SYMLINK_FOLLOW"),
        (0x1000, "AT_EMPTY_PATH"),
    ),
    "access": ((1, "X_OK"), (2, "W_OK"), (4, "R_OK")),
}
"""Kinds of arguments that are sets of flags."""


class CallLines(Observer):
    """Passes a line to ``line`` when a call returns."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._open: dict[Thread, str] = {}

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        row = TABLE.get(number)
        if row is None:
            self._open[thread] = f"syscall_{number}(…)"
            return
        kinds = row.kinds.split()
        shown = [
            _argument(thread.process.space, kind, value, arguments)
            for kind, value in zip(kinds, row.convert(arguments), strict=False)
        ]
        self._open[thread] = f"{row.name}({', '.join(shown)})"

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        call = self._open.pop(thread, None)
        if call is None:
            return  # the process ended during the call, so exited() has printed it
        self._line(
            f"[pid {thread.process.pid}] {call} = {_result(thread, number, arguments, result)}"
        )

    def forked(self, thread: Thread, child: Process, cost: ForkCost | None) -> None:
        if cost is None:
            return
        self._line(
            f"[pid {thread.process.pid}] forked pid {child.pid}: {cost.pages_shared} pages shared, "
            f"{cost.frames_copied} copied"
        )

    def signalled(self, thread: Thread, signo: int) -> None:
        self._line(f"[pid {thread.process.pid}] --- {signals.name(signo)} ---")

    def exited(self, process: Process) -> None:
        for thread in [thread for thread in self._open if thread.process is process]:
            self._line(f"[pid {process.pid}] {self._open.pop(thread)} = ?")
        status = process.status
        assert status is not None
        killer = signals.name(status.signal)
        how = f"killed by {killer}" if status.signal else f"exited with {status.code}"
        self._line(f"[pid {process.pid}] +++ {how} +++")


def _argument(space: AddressSpace, kind: str, value: int, arguments: list[int]) -> str:
    name, _, length_at = kind.partition(":")
    if name in ("path", "str"):
        return _string(space, value)
    if name == "inbuf":
        return _buffer(space, value, arguments[int(length_at)])
    if name == "argv":
        return _strings(space, value)
    if name == "dirfd" and value == linux_abi.AT_FDCWD:
        return "AT_FDCWD"
    if name == "prot":
        return _flags(value, _PROT, "PROT_NONE")
    if name == "oflags":
        access = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")[value & 3]
        rest = _flags(value & ~3, _OPEN, "")
        return f"{access}|{rest}" if rest else access
    if name == "mode":
        return f"0{value:o}" if value else "0"
    if name == "sig":
        return signals.name(value)
    if name == "advice":
        return f"MADV_{_ADVICE[value]}" if value in _ADVICE else str(value)
    if name in _NAMED:
        return _flags(value, _NAMED[name], "0")
    if name in ("ptr", "hex", "outbuf"):
        return "NULL" if not value and name == "ptr" else f"{value:#x}"
    return str(value)


def _flags(value: int, names: tuple[tuple[int, str], ...], none: str) -> str:
    parts = [name for bit, name in names if value & bit == bit]
    rest = value
    for bit, _ in names:
        rest &= ~bit
    if rest:
        parts.append(f"{rest:#x}")
    return "|".join(parts) or none


def _string(space: AddressSpace, address: int) -> str:
    if not address:
        return "NULL"
    text = _c_string(space, address, _LONGEST_PATH)
    return f"{address:#x}" if text is None else _quote(text)


def _c_string(space: AddressSpace, address: int, limit: int) -> bytes | None:
    text = b""
    while len(text) < limit:
        part = peek_ahead(space, address + len(text), min(64, 4096 - (address + len(text)) % 4096))
        if part is None:
            return None
        text += part
        if b"\0" in part:
            return text.split(b"\0")[0]
    return text[:limit]


def _strings(space: AddressSpace, address: int) -> str:
    texts: list[str] = []
    while len(texts) < 8:
        word = peek_ahead(space, address + 8 * len(texts), 8)
        if word is None:
            return f"{address:#x}"
        if not any(word):
            return f"[{', '.join(texts)}]"
        texts.append(_string(space, int.from_bytes(word, "little")))
    return f"[{', '.join(texts)}, …]"


def _buffer(space: AddressSpace, address: int, count: int) -> str:
    data = peek_ahead(space, address, min(count, _LONGEST_TEXT))
    if data is None:
        return f"{address:#x}"
    return _quote(data) + ("…" if count > _LONGEST_TEXT else "")


def _quote(data: bytes) -> str:
    text = data.decode("latin-1").encode("unicode_escape").decode()
    return '"' + text.replace('"', '\\"') + '"'


def _result(thread: Thread, number: int, arguments: list[int], result: int | None) -> str:
    if result is None:
        return "?"
    row = TABLE.get(number)
    if -4096 < result < 0:
        name = NAMES.get(-result, str(-result))
        missing = " (not supported by emu)" if row is None else ""
        return f"-1 {name} ({error_text(-result)}){missing}"
    if row is None:
        return str(result)
    text = f"{result:#x}" if row.name in _POINTER_RESULTS else str(result)
    for position, kind in enumerate(row.kinds.split()):
        if kind.startswith("outbuf"):
            return f"{text} {_buffer(thread.process.space, arguments[position], result)}"
    return text

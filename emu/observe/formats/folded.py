"""Copied bytes by stack, one stack per line: for speedscope.app, inferno and FlameGraph.

``program;outermost;…;innermost bytes``: the bytes that the kernel copied because fork shares
memory, at page faults and, if the policy copies then, at forks. Private copies of file pages are in
a separate tree below the program, ``[private file pages]``; without it the sum equals that of ``emu
cow``. As in FlameGraph, the root is the program, ``_[i]`` marks inlined functions, and ``_[k]`` the
system call during which the kernel stored to the page.
"""

from __future__ import annotations

from collections import Counter
from typing import BinaryIO

from emu.machine.pte import PAGE_SIZE
from emu.observe.model import records
from emu.observe.model.outcomes import COPIES
from emu.observe.model.records import AnyRecord, SourceLocation
from kernel.mm.outcome import Outcome

_OF_FILES = "[private file pages]"
_CLEAN = str.maketrans({";": ":", "\n": " ", "\r": " "})


class Folded:
    """A sink that writes to ``file`` when it is closed. ``close`` raises OSError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._bytes: Counter[str] = Counter()
        self._programs: dict[int, str] = {}
        self._first = ""

    def __call__(self, record: AnyRecord) -> None:
        match record:
            case records.Fault() if record.outcome in COPIES:
                stack = [record.place, *record.backtrace]
                apart = _OF_FILES if record.outcome == Outcome.FILE_COPIED else ""
                self._add(record.pid, stack, record.in_kernel, record.pages, apart)
            case records.Fork():
                stack = [] if record.place is None else [record.place, *record.backtrace]
                self._add(record.pid, stack, "fork", record.frames_copied)
                self._programs[record.child] = self._program(record.pid)
            case records.Exec():
                self._programs[record.pid] = _base(record.path)
            case records.Start():
                self._first = _base(record.command[0]) if record.command else ""

    def close(self) -> None:
        for stack, count in sorted(self._bytes.items()):
            self._file.write(f"{stack} {count}\n".encode("utf-8", "replace"))
        self._file.close()

    def _add(
        self, pid: int, stack: list[SourceLocation], call: str, pages: int, apart: str = ""
    ) -> None:
        """``stack`` has the innermost location first; ``apart`` is placed above the outermost."""
        if not pages:
            return
        names = [f"{call}_[k]"] if call else []
        for place in stack:
            names += _functions(place)
        names += [apart] if apart else []
        names.append(self._program(pid))
        key = ";".join(name.translate(_CLEAN) for name in reversed(names))
        self._bytes[key] += pages * PAGE_SIZE

    def _program(self, pid: int) -> str:
        """The process's program; the trace's first one if the fork is not in the trace."""
        return self._programs.get(pid) or self._first or "?"


def _functions(place: SourceLocation) -> list[str]:
    """The functions at a location, innermost first."""
    if not place.function:
        return [f"{_base(place.image) or '?'}:{place.pc:#x}"] if place.pc else []
    names = [place.function, *(caller.function for caller in place.inlined)]
    marked = [f"{name}_[i]" for name in names[:-1]]
    return [*marked, names[-1]]


def _base(path: str) -> str:
    return path.rpartition("/")[2]

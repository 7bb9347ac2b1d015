"""Stacks by copied bytes, one a line, for flamegraph tools and speedscope.

``outermost;…;innermost bytes``: how many bytes the page faults of a stack had the kernel copy.
"""

from __future__ import annotations

from collections import Counter
from typing import BinaryIO

from emu.machine.pte import PAGE_SIZE
from emu.observe import records
from emu.observe.records import AnyRecord, Place

_COPIED = frozenset(("copied", "file_copied"))


class Folded:
    """A sink that writes to ``file`` when it is closed. OSError comes from ``close``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._bytes: Counter[str] = Counter()

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, records.Fault) and record.outcome in _COPIED:
            self._bytes[_stack(record)] += PAGE_SIZE

    def close(self) -> None:
        for stack, count in sorted(self._bytes.items()):
            self._file.write(f"{stack} {count}\n".encode())
        self._file.close()


def _stack(fault: records.Fault) -> str:
    names: list[str] = []
    for place in [fault.place, *fault.backtrace]:
        names += _functions(place)
    if fault.call:
        names.insert(0, f"[kernel: {fault.call}]")
    return ";".join(name.replace(";", ":") for name in reversed(names))


def _functions(place: Place) -> list[str]:
    """The functions of a place, the innermost first; inlined ones are marked."""
    if not place.function:
        return [f"{place.image or '?'}:{place.pc:#x}".replace(" ", "_")]
    names = [place.function, *(caller.function for caller in place.inlined)]
    marked = [f"{name}_[i]" for name in names[:-1]]
    return [*marked, names[-1]]

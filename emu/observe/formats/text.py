"""Records as lines of text, printed as they occur: ``emu trace`` without ``-o``."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.pte import PAGE_SIZE
from emu.observe.formats.fault_line import accessor, dimmed, fault_line, in_colour, plain
from emu.observe.model import records
from emu.observe.model.outcomes import COPIES
from emu.observe.model.records import AnyRecord, CopyEnd

Walk = Callable[[records.Fault], list[str]]


class TraceLines:
    """A sink that passes lines to ``line``; ``walk``, when given, draws each fault's walk below."""

    def __init__(
        self, line: Callable[[str], None], *, colour: bool = False, walk: Walk | None = None
    ) -> None:
        self._line = line
        self._paint = in_colour if colour else plain
        self._walk = walk
        self._copiers: dict[int, tuple[str, int]] = {}
        """Code and size of each copy whose end is not recorded yet, by the fault's number."""

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, records.Fault):
            self._line(fault_line(record, self._paint))
            if record.outcome in COPIES:
                code = accessor(record).partition("  ")[0]
                self._copiers[record.seq] = code, record.pages * PAGE_SIZE
            if self._walk is not None:
                for line in self._walk(record):
                    self._line(f"    {line}")
        else:
            text = self._copy_end(record) if isinstance(record, CopyEnd) else _other(record)
            if text:
                self._line(dimmed(text, self._paint))

    def _copy_end(self, record: CopyEnd) -> str:
        by, size = self._copiers.pop(record.fault, (f"fault {record.fault}", PAGE_SIZE))
        page = "page" if size == PAGE_SIZE else "last page of a huge page,"
        changed = f"{record.bytes_changed:,} of its {size:,} bytes had changed"
        return f"[pid {record.pid}] {page} {record.address:#x}, copied by {by}: {changed}"


def _other(record: AnyRecord) -> str:
    match record:
        case records.Fork(shares_memory=True):
            return f"[pid {record.pid}] vfork: pid {record.child} uses its memory"
        case records.Fork():
            shared = f"{record.pages_shared:,} pages shared, {record.frames_copied:,} copied"
            return f"[pid {record.pid}] fork: pid {record.child}, {shared}"
        case records.Exec():
            return f"[pid {record.pid}] exec {record.path}"
        case records.Exit():
            return f"[pid {record.pid}] exit, status {record.status}"
        case records.PageSize():
            change = "became a huge page" if record.huge else "huge page split"
            copied = f", {record.copied:,} shared pages copied" if record.copied else ""
            return f"[pid {record.pid}] {record.address:#x}: {change}{copied}, in {record.call}"
        case records.Signal():
            return f"[pid {record.pid}] {record.signal}"
        case records.Call():
            arguments = ", ".join(f"{argument:#x}" for argument in record.arguments)
            result = "?" if record.result is None else record.result
            return f"[pid {record.pid}] {record.name}({arguments}) = {result}"
    return ""

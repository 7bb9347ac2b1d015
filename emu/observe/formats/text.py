"""Records as lines for a reader, as they happen: ``emu trace`` without ``-o``."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.pte import V
from emu.observe.model import records
from emu.observe.model.outcomes import COPIES, IN_A_LINE
from emu.observe.model.records import AnyRecord, CopyEnd, SourceLocation

_DIM, _RED, _GREEN, _YELLOW, _CYAN = (f"\x1b[{n}m" for n in (2, 31, 32, 33, 36))
_PLAIN = "\x1b[0m"
_COLOURS = {
    "copied": _YELLOW,
    "file_copied": _YELLOW,
    "reused": _GREEN,
    "segv_maperr": _RED,
    "segv_accerr": _RED,
    "bus_adrerr": _RED,
    "out_of_memory": _RED,
}

Walk = Callable[[records.Fault], list[str]]


class TraceLines:
    """A sink that writes to ``line``; ``walk``, when given, draws each fault's walk below it."""

    def __init__(
        self, line: Callable[[str], None], *, colour: bool = False, walk: Walk | None = None
    ) -> None:
        self._line = line
        self._colour = colour
        self._walk = walk
        self._copied: dict[int, str] = {}
        """Who copied a page that has not come to its end, by the number of the fault."""

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, records.Fault):
            self._line(self._fault(record))
            if record.outcome in COPIES:
                self._copied[record.seq] = _by(record).partition("  ")[0]
            if self._walk is not None:
                for line in self._walk(record):
                    self._line(f"    {line}")
        else:
            text = self._settled(record) if isinstance(record, CopyEnd) else _other(record)
            if text:
                self._line(self._painted(text, _DIM))

    def _settled(self, record: CopyEnd) -> str:
        by = self._copied.pop(record.fault, f"fault {record.fault}")
        changed = f"{record.bytes_changed:,} of its 4,096 bytes had changed"
        return f"[pid {record.pid}] page {record.address:#x}, copied by {by}: {changed}"

    def _painted(self, text: str, colour: str | None) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colour and colour else text

    def _fault(self, f: records.Fault) -> str:
        done = self._painted(IN_A_LINE[f.outcome], _COLOURS.get(f.outcome))
        parts = [
            f"[pid {f.pid}] {self._painted(_by(f), _CYAN)}",
            f"{f.access} {f.stval:#x} → {done}",
            _pte_change(f),
        ]
        if f.count_before or f.count_after:
            before = f"{f.count_before} → " if f.count_before else ""
            parts.append(f"count {before}{f.count_after}")
        if f.table_copied:
            parts.append("leaf table copied")
        if f.sharers:
            parts.append("shared with " + ", ".join(f"pid {s.pid}" for s in f.sharers))
        return "  ".join(parts)


def place_text(place: SourceLocation) -> str:
    """Such as ``write_page+0xc demo_cow.c:22``; the pc where no symbol is known."""
    if not place.function:
        return f"pc {place.pc:#x}"
    source = f" {place.file.rpartition('/')[2]}:{place.line}" if place.line else ""
    outer = place.inlined[-1].function if place.inlined else place.function
    inlined = f" ({place.function}, inlined)" if place.inlined else ""
    return f"{outer}+{place.offset:#x}{inlined}{source}"


def _by(f: records.Fault) -> str:
    if f.call:
        return f"kernel, in {f.call}" + (f", for {place_text(f.place)}" if f.place.pc else "")
    if f.signal:
        return f"kernel, for a signal at {place_text(f.place)}"
    return f"{place_text(f.place)}  {f.instruction}"


def _pte_change(f: records.Fault) -> str:
    before, after = (
        f"{frame:#x} {flags}" if pte & V else "none"
        for frame, flags, pte in (
            (f.frame_before, f.flags_before, f.pte_before),
            (f.frame_after, f.flags_after, f.pte_after),
        )
    )
    return f"pte {before}" if before == after else f"pte {before} → {after}"


def _other(record: AnyRecord) -> str:
    match record:
        case records.Fork(shares_memory=True):
            return f"[pid {record.pid}] vfork: pid {record.child} borrows its memory"
        case records.Fork():
            shared = f"{record.pages_shared:,} pages shared, {record.frames_copied:,} copied"
            return f"[pid {record.pid}] fork: pid {record.child}, {shared}"
        case records.Exec():
            return f"[pid {record.pid}] exec {record.path}"
        case records.Exit():
            return f"[pid {record.pid}] exit, status {record.status}"
        case records.Signal():
            return f"[pid {record.pid}] {record.signal}"
        case records.Call():
            arguments = ", ".join(f"{argument:#x}" for argument in record.arguments)
            result = "?" if record.result is None else record.result
            return f"[pid {record.pid}] {record.name}({arguments}) = {result}"
    return ""

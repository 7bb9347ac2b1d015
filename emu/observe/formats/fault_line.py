"""A page fault as one line of text: the same for ``emu run --trace faults`` and ``emu trace``.

``[pid N] CODE  INSTRUCTION  ACCESS ADDRESS → OUTCOME  pte BEFORE → AFTER  count BEFORE → AFTER``,
where a PTE is a frame number (PPN) with its flags, and a count is the number of users of the frame.
"""

from __future__ import annotations

from collections.abc import Callable

from emu.observe.model.outcomes import in_line
from emu.observe.model.records import Fault, SourceLocation
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.pte_text import pte_text

_DIM, _RED, _GREEN, _YELLOW, _CYAN = (f"\x1b[{n}m" for n in (2, 31, 32, 33, 36))
_PLAIN = "\x1b[0m"
_COLOURS: dict[str, str] = {
    Outcome.COPIED: _YELLOW,
    Outcome.FILE_COPIED: _YELLOW,
    Outcome.REUSED: _GREEN,
    Outcome.ZERO_SHARED: "",
    Outcome.ZERO_FILLED: "",
    Outcome.STACK_GROWN: "",
    Outcome.FILE: "",
    Outcome.SHARED: "",
    Outcome.SPURIOUS: "",
    Outcome.SEGV_MAPERR: _RED,
    Outcome.SEGV_ACCERR: _RED,
    Outcome.BUS_ADRERR: _RED,
    Outcome.OUT_OF_MEMORY: _RED,
}

Paint = Callable[[str, str], str]
"""(text, colour's escape sequence) → text."""


def in_colour(text: str, colour: str) -> str:
    return f"{colour}{text}{_PLAIN}" if colour else text


def plain(text: str, _colour: str) -> str:
    return text


def dimmed(text: str, paint: Paint) -> str:
    return paint(text, _DIM)


def fault_line(fault: Fault, paint: Paint = plain) -> str:
    outcome = paint(in_line(fault.outcome), _COLOURS[fault.outcome])
    parts = [
        f"[pid {fault.pid}] {paint(accessor(fault), _CYAN)}",
        f"{fault.access} {fault.stval:#x} → {outcome}",
        _pte_change(fault),
    ]
    if fault.count_before or fault.count_after:
        before = f"{fault.count_before} → " if fault.count_before else ""
        parts.append(f"count {before}{fault.count_after}")
    if fault.huge:
        parts.append("huge page, 2 MiB")
    if fault.split:
        parts.append("huge page split")
    if fault.around:
        pages = len(fault.around)
        parts.append(f"{pages} page{'s' * (pages > 1)} around mapped")
    if fault.middle_copied:
        parts.append("middle table copied")
    if fault.table_copied:
        parts.append("leaf table copied")
    if fault.sharers:
        parts.append("shared with " + ", ".join(f"pid {sharer.pid}" for sharer in fault.sharers))
    return "  ".join(parts)


def accessor(fault: Fault) -> str:
    """The code that made the access, with its instruction; or the kernel, and what for."""
    if fault.call:
        where = f", for {place_text(fault.place)}" if fault.place.pc else ""
        return f"kernel, in {fault.call}{where}"
    if fault.signal:
        where = f" at {place_text(fault.place)}" if fault.place.pc else ""
        return f"kernel, for a signal{where}"
    return f"{place_text(fault.place)}  {fault.instruction}"


def place_text(place: SourceLocation) -> str:
    """Such as ``write_page+0xc demo_cow.c:22``; the pc where no symbol is known."""
    if not place.function:
        return f"pc {place.pc:#x}"
    source = f" {place.file.rpartition('/')[2]}:{place.line}" if place.line else ""
    outer = place.inlined[-1].function if place.inlined else place.function
    inlined = f" ({place.function}, inlined)" if place.inlined else ""
    return f"{outer}+{place.offset:#x}{inlined}{source}"


def _pte_change(fault: Fault) -> str:
    before, after = pte_text(fault.pte_before), pte_text(fault.pte_after)
    return f"pte {before}" if before == after else f"pte {before} → {after}"

"""One page in one image of a process: its states, its steps, and what these show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from emu.machine.pte import HUGE_SIZE, PAGE_SIZE, W
from emu.observe.analysis.process_lineage import Memory, in_ranges
from emu.observe.model import records
from emu.observe.model.records import Range, SourceLocation
from emu.observe.model.source_location import where_text
from kernel.mm.outcome import Outcome


class PageState(NamedTuple):
    """A PTE and the number of users of its frame; ``holders`` is 0 if unknown and for the zero
    page.
    """

    pte: int = 0
    frame: int = 0
    flags: str = ""
    holders: int = 0


NO_PAGE = PageState()
HUGE_SHIFT = HUGE_SIZE.bit_length() - 1


class Step(msgspec.Struct, omit_defaults=True):
    """An event at ``time``, described by ``text``. Without ``after`` the page did not change."""

    seq: int
    time: int
    text: str
    before: PageState | None = None
    after: PageState | None = None


@dataclass(eq=False, slots=True)
class Episode:
    """The page in one image of a process; ``origin`` is the episode of its parent."""

    memory: Memory
    origin: Episode | None = None
    steps: list[Step] = field(default_factory=list)
    range: Range | None = None
    state: PageState = NO_PAGE
    touched: bool = False
    huge: bool = False
    """The page is part of a huge page."""


def fork_text(parent: Episode, fork: records.Fork, page: int) -> str:
    """The effect of a fork on the page; an eager fork copies pages that may be stored to."""
    if in_ranges(fork.left_out, page):
        return "left out (MADV_DONTFORK) by fork of"
    if in_ranges(fork.wiped, page):
        return "kept back (MADV_WIPEONFORK) by fork of"
    if not parent.state.pte:
        return "not there yet at the fork of"
    if in_ranges(fork.not_copied, page):
        return "not copied, as a fault finds it again, by fork of"
    excluded = [*fork.left_out, *fork.wiped]  # a leaf table with such a page is not shared
    private = parent.range is None or parent.range.rights.endswith("p")
    if fork.frames_copied and private and parent.state.pte & W:
        return "kept, and copied at once for the child, at the fork of"
    apart = any(each.start >> 21 <= page >> 21 <= each.end - 1 >> 21 for each in excluded)
    if parent.huge:
        return "shared, with its huge page, by fork of"
    with_table = fork.tables_shared and not apart
    return f"shared{', with its leaf table,' if with_table else ''} by fork of"


def storer(fault: records.Fault) -> str:
    where = where_text(fault.place, fault.backtrace)
    if not fault.call:
        return f"kernel, for a signal at {where}" if fault.signal else where
    return f"kernel, {fault.call}, for {where}" if fault.place.pc else f"kernel, {fault.call}"


def effect(fault: records.Fault, page: int) -> str:
    if not fault.first_page <= page < fault.first_page + fault.pages * PAGE_SIZE:
        return f"has its own copy of the leaf table, for its {fault.access} to {fault.stval:#x}"
    return "has a copy of its own" if fault.outcome == Outcome.COPIED else "touched it"


def by_call(call: str, place: SourceLocation | None) -> str:
    if not call:
        return ""
    return f" by {call}" + (f" at {where_text(place)}" if place is not None and place.pc else "")


def range_text(mapped: Range) -> str:
    name = f" {mapped.name}" if mapped.name else ""
    return f"{mapped.rights} in {mapped.start:#x}-{mapped.end:#x}{name}"

"""The history of one page in all processes that mapped it, from the records of a run.

An episode covers the page in one image of a process, step by step, with the PTE and the number of
users of the frame before and after each. Between page faults these come from the records of a
watched page; in a trace without them, the next page fault shows them.
"""

from __future__ import annotations

from emu.machine.pte import HUGE_SIZE, PAGE_SHIFT, PPN_SHIFT, ppn
from emu.observe.analysis.page_episode import (
    HUGE_SHIFT,
    NO_PAGE,
    Episode,
    PageState,
    Step,
    by_call,
    effect,
    fork_text,
    range_text,
    storer,
)
from emu.observe.analysis.process_lineage import Lineage, Memory, in_ranges
from emu.observe.model import records
from emu.observe.model.outcomes import in_line
from emu.observe.model.records import AnyRecord, Range
from emu.observe.model.source_location import where_text
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.pte_text import pte_flags

_WORD = (1 << 64) - 1


class PageHistory:
    """A sink for the records of a run. ``page`` may be set until the page is mapped."""

    def __init__(self, page: int = -1) -> None:
        self.page = page
        self.episodes: list[Episode] = []
        """Episodes of all images that mapped the page, in order of appearance."""
        self.ranges: dict[tuple[int, int], Range] = {}
        """All ranges that were mapped at any time."""
        self.was_mapped = False
        self._lineage = Lineage()
        self._of: dict[Memory, Episode] = {}
        self._loading: dict[int, list[records.Fault]] = {}
        self._cause = ""
        self._at = -1

    def __call__(self, record: AnyRecord) -> None:
        match record:
            case records.Fork():
                self._lineage(record)
                self._add_fork(record)
            case records.Exec():
                self._end(record.pid, record, f"released: exec of {record.path}")
                self._lineage(record)
                self._exec(record)
            case records.Exit():
                self._end(record.pid, record, f"released: exit, status {record.status}")
                self._lineage(record)
            case records.Fault():
                self._fault(record)
            case records.Page():
                self._page_changed(record)
            case records.Map():
                self._map(record)
            case records.Clear() | records.Unmap():
                self._remove(record)
            case records.Move():
                self._move(record)
            case records.PageSize():
                self._resize(record)
        self._set_cause(record)

    def _episode(self, pid: int) -> Episode:
        memory = self._lineage.of(pid)
        episode = self._of.get(memory)
        if episode is None:
            origin = memory.origin.parent if memory.origin is not None else None
            episode = self._of[memory] = Episode(memory, self._of.get(origin) if origin else None)
        return episode

    def _add_step(self, episode: Episode, record: AnyRecord, text: str) -> Step:
        if not episode.steps:
            self.episodes.append(episode)
        step = Step(record.seq, record.time, text)
        episode.steps.append(step)
        return step

    def _covers(self, start: int, end: int) -> bool:
        return start <= self.page < end

    # Mappings.

    def _exec(self, record: records.Exec) -> None:
        episode = self._episode(record.pid)
        for each in record.maps:
            self.ranges[each.start, each.end] = each
            if self._covers(each.start, each.end):
                episode.range, self.was_mapped = each, True
                text = f"mapped {range_text(each)} by exec of {record.path}"
                self._add_step(episode, record, text)
        for fault in self._loading.pop(record.pid, []):
            self._fault_in(episode, fault)

    def _map(self, record: records.Map) -> None:
        new = record.range
        self.ranges[new.start, new.end] = new
        if not self._covers(new.start, new.end):
            return
        episode = self._episode(record.pid)
        old, episode.range, self.was_mapped = episode.range, new, True
        by = by_call(record.call, record.place) or ", as the stack grew"
        if old is None:
            self._add_step(episode, record, f"mapped {range_text(new)}{by}")
        elif old.rights != new.rights:
            self._add_step(episode, record, f"rights now {new.rights}, were {old.rights}{by}")

    def _remove(self, record: records.Clear | records.Unmap) -> None:
        if not self._covers(record.start, record.end):
            return
        episode, by = self._episode(record.pid), by_call(record.call, record.place)
        if isinstance(record, records.Clear):
            if episode.state.pte:
                self._release(episode, record, f"released{by}")
        elif episode.range is not None:
            episode.range = None
            self._add_step(episode, record, f"unmapped{by}")

    def _move(self, record: records.Move) -> None:
        episode, by = self._episode(record.pid), by_call(record.call, record.place)
        if self._covers(record.start, record.end):
            to = self.page - record.start + record.to
            self._release(episode, record, f"moved to {to:#x}{by}")
            episode.range = None
        size = record.end - record.start
        if self._covers(record.to, record.to + size):
            source = self.page - record.to + record.start
            self._add_step(episode, record, f"moved here from {source:#x}{by}")

    def _resize(self, record: records.PageSize) -> None:
        if not self._covers(record.address, record.address + HUGE_SIZE):
            return
        episode, by = self._episode(record.pid), by_call(record.call, record.place)
        episode.huge = record.huge
        text = f"collapsed to a huge page{by}" if record.huge else f"its huge page was split{by}"
        if record.copied:
            text += f": {record.copied:,} shared pages of the 2 MiB were copied"
        self._add_step(episode, record, text)

    def _release(self, episode: Episode, record: AnyRecord, text: str) -> None:
        step = self._add_step(episode, record, text)
        episode.huge = False
        if episode.state.pte:
            step.before, step.after = episode.state, NO_PAGE
            episode.state = NO_PAGE

    # Processes.

    def _add_fork(self, record: records.Fork) -> None:
        parent = self._of.get(self._lineage.of(record.pid))
        if parent is None or (parent.range is None and not parent.state.pte):
            return
        at = f" at {where_text(record.place, record.backtrace)}" if record.place else ""
        if record.shares_memory:
            self._add_step(parent, record, f"pid {record.child} uses the memory (vfork){at}")
            return
        self._add_step(
            parent, record, f"{fork_text(parent, record, self.page)} pid {record.child}{at}"
        )
        if in_ranges(record.left_out, self.page):
            return
        if in_ranges(record.not_copied, self.page):
            child = self._episode(record.child)
            child.range = parent.range
            self._add_step(child, record, f"mapped without a PTE, as for pid {record.pid}{at}")
            return
        child, wiped = self._episode(record.child), in_ranges(record.wiped, self.page)
        child.range, child.touched = parent.range, parent.touched and not wiped
        child.huge = parent.huge and not wiped
        without = " without the page (MADV_WIPEONFORK)" if wiped else ""
        self._add_step(child, record, f"inherited from pid {record.pid}{without}{at}")

    def _end(self, pid: int, record: AnyRecord, text: str) -> None:
        memory = self._lineage.of(pid)
        episode = self._of.get(memory)
        if episode is None or not episode.state.pte:
            return
        if not self._lineage.is_in_use_by_others(pid):
            self._release(episode, record, text)
        elif memory.pid == pid:
            self._add_step(episode, record, text.replace("released", "left to other users", 1))

    # The page itself.

    def _fault(self, fault: records.Fault) -> None:
        if fault.loading:
            self._loading.setdefault(fault.pid, []).append(fault)
        else:
            self._fault_in(None, fault)
        self._lineage(fault)

    def _fault_in(self, episode: Episode | None, fault: records.Fault) -> None:
        """Adds a step if the fault is on the page, or maps it beside its own."""
        if fault.page == self.page:
            self._touch(episode or self._episode(fault.pid), fault)
        elif (fault.huge or fault.split) and fault.page >> HUGE_SHIFT == self.page >> HUGE_SHIFT:
            self._touch_beside(episode or self._episode(fault.pid), fault)
        for each in fault.around:
            if each.address == self.page:
                self._map_around(episode or self._episode(fault.pid), fault, each.pte)

    def _touch_beside(self, episode: Episode, fault: records.Fault) -> None:
        """Adds the effect of a fault on another page of the same 2 MiB."""
        cause = f"for the {fault.access} to {fault.stval:#x} by {storer(fault)}"
        episode.huge = fault.huge
        if fault.split:
            self._add_step(episode, fault, f"its huge page was split, {cause}")
            return
        step = self._add_step(
            episode, fault, f"part of a huge page, {cause}: {in_line(fault.outcome)}"
        )
        step.before = episode.state
        distance = self.page - fault.page >> PAGE_SHIFT
        pte = fault.pte_after + (distance << PPN_SHIFT) & _WORD  # a trace may have any PTE
        users = 0 if fault.outcome == Outcome.ZERO_SHARED else fault.count_after
        step.after = PageState(pte, ppn(pte), fault.flags_after, users)
        episode.state, episode.touched = step.after, True  # from now on without a fault

    def _map_around(self, episode: Episode, fault: records.Fault, pte: int) -> None:
        text = f"mapped beside {fault.page:#x}, for its {fault.access} by {storer(fault)}"
        step = self._add_step(episode, fault, text)
        step.before = episode.state
        step.after = PageState(pte, ppn(pte), pte_flags(pte))
        episode.state, episode.touched = step.after, True

    def _touch(self, episode: Episode, fault: records.Fault) -> None:
        first = "" if episode.touched else "first touched, "
        borrower = "" if fault.pid == episode.memory.pid else f" (pid {fault.pid})"
        text = (
            f"{first}{fault.access} to {fault.stval:#x} by {storer(fault)}{borrower}: "
            f"{in_line(fault.outcome)}"
        )
        if fault.huge:
            text += ", as a huge page of 2 MiB"
        if fault.split:
            text += "; its huge page was split first"
        if fault.table_copied:
            text += "; its leaf table was shared, and copied first"
        step = self._add_step(episode, fault, text)
        zero = fault.outcome == Outcome.ZERO_SHARED
        step.before = PageState(
            fault.pte_before, fault.frame_before, fault.flags_before, fault.count_before
        )
        if episode.state.pte == fault.pte_before and not episode.state.holders:
            step.before = episode.state  # zero page
        step.after = PageState(
            fault.pte_after, fault.frame_after, fault.flags_after, 0 if zero else fault.count_after
        )
        episode.state, episode.touched, episode.huge = step.after, True, fault.huge

    def _page_changed(self, record: records.Page) -> None:
        """For a watched page: completes the step that changed it, or adds one for another process's
        change.
        """
        episode = self._episode(record.pid)
        new = PageState(record.pte, record.frame, record.flags, record.count)
        if record.address != self.page or new == episode.state:
            return
        step = episode.steps[-1] if episode.steps else None
        if step is None or step.seq != self._at or step.after is not None:
            step = self._add_step(episode, record, self._cause)
        step.before, step.after = episode.state, new
        episode.state = new

    def _set_cause(self, record: AnyRecord) -> None:
        """Sets the text for a change that a record causes in other processes."""
        match record:
            case records.Page() | records.Sample() | records.CopyEnd() | records.Start():
                return
            case records.Exit():
                self._cause = f"pid {record.pid} ended"
            case records.Fork():
                self._cause = f"pid {record.pid} forked pid {record.child}"
            case records.Exec():
                self._cause = f"pid {record.pid} has another image"
            case records.PageSize():
                self._cause = f"pid {record.pid} changed the size of its pages"
            case records.Fault():
                self._cause = f"pid {record.pid} {effect(record, self.page)}"
            case records.Map() | records.Unmap() | records.Clear() | records.Move():
                self._cause = f"pid {record.pid} changed its mappings"
        self._at = record.seq

"""Which process has its memory from which: the tree that forks make, and the fork to blame.

Of a store to a page that fork had shared, that is the latest fork between the process and another
that still has the frame. Where a record doesn't name the others (a page that was taken over has
none), it is the latest fork that the process was part in, as parent or as child, since the page
became its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from emu.observe import records
from emu.observe.outcomes import OWN
from emu.observe.records import AnyRecord, Range


@dataclass(eq=False, slots=True)
class Memory:
    """One image of a process: from its fork or exec to its exec or exit."""

    pid: int
    name: str = ""
    origin: Shared | None = None
    """The fork that made it; None when an exec did."""
    latest: Shared | None = None
    """The latest fork that it was part in."""
    own: dict[int, int] = field(default_factory=dict)
    """Pages, and the number of the record of when each last became its own."""

    def ancestry(self) -> Iterator[Memory]:
        """Itself and all that it has its pages from, the nearest first."""
        memory = self
        while True:
            yield memory
            if memory.origin is None:
                return
            memory = memory.origin.parent


@dataclass(eq=False, slots=True)
class Shared:
    """A fork that shared memory, the ``number``-th of its run, counted from 1."""

    number: int
    record: records.Fork
    parent: Memory
    child: Memory
    before: Shared | None = None
    """The latest fork that the parent was part in before, if this one did not share all pages."""

    def shared(self, page: int) -> bool:
        return not among(self.record.left_out, page) and not among(self.record.wiped, page)


class Lineage:
    """Follows the records of a run; ask before a record is told or after, as you need it."""

    def __init__(self) -> None:
        self._of: dict[int, Memory] = {}
        self._forks = 0

    def of(self, pid: int) -> Memory:
        """What the process has now. A vfork's child has its parent's until it execs."""
        memory = self._of.get(pid)
        if memory is None:
            memory = self._of[pid] = Memory(pid)
        return memory

    def lives_on(self, pid: int) -> bool:
        """Whether another process has the memory too: it borrows it, or has outlived its owner."""
        memory = self.of(pid)
        return any(other is memory for user, other in self._of.items() if user != pid)

    def __call__(self, record: AnyRecord) -> None:
        match record:
            case records.Fault() if record.outcome in OWN and not record.loading:
                self.of(record.pid).own[record.page] = record.seq
            case records.Fork():
                self._forked(record)
            case records.Exec():
                self._of[record.pid] = Memory(record.pid, record.path.rpartition("/")[2])
            case records.Exit():
                self._of.pop(record.pid, None)
            case records.Move():
                _move(self.of(record.pid).own, record)

    def _forked(self, record: records.Fork) -> None:
        parent = self.of(record.pid)
        if record.shares_memory:
            self._of[record.child] = parent
            return
        child = Memory(record.child, parent.name)
        self._forks += 1
        before = parent.latest if record.left_out or record.wiped else None
        fork = Shared(self._forks, record, parent, child, before)
        child.origin = child.latest = parent.latest = fork
        self._of[record.child] = child

    def fork_of(self, fault: records.Fault) -> Shared | None:
        """The fork that shared the page; None when none did (mprotect took its W)."""
        memory = self.of(fault.pid)
        between = [self._between(memory, self.of(other.pid)) for other in fault.sharers]
        forks = [fork for fork in between if fork is not None]
        if forks:
            return max(forks, key=lambda fork: fork.number)
        latest = memory.latest
        while latest is not None and not latest.shared(fault.page):
            latest = latest.before if latest.parent is memory else None
        if latest is None or memory.own.get(fault.page, -1) > latest.record.seq:
            return None
        return latest

    def _between(self, memory: Memory, other: Memory) -> Shared | None:
        """The fork at which ``other`` and ``memory`` parted, or by which it came from there."""
        for ancestor in other.ancestry():
            if ancestor.origin is not None and ancestor.origin.parent is memory:
                return ancestor.origin
        return memory.origin


def among(ranges: Iterable[Range], page: int) -> bool:
    return any(each.start <= page < each.end for each in ranges)


def _move(own: dict[int, int], record: records.Move) -> None:
    for page in [page for page in own if record.start <= page < record.end]:
        own[page - record.start + record.to] = own.pop(page)

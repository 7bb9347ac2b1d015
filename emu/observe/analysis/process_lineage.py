"""Which process has its memory from which: the tree that forks make, and the fork to blame.

Of a store to a page that fork had shared, that is the latest fork between the process and another
that still has the frame. Where a record doesn't name the others (a page that was taken over has
none), it is the latest fork that the process was part in, as parent or as child, since the page
became its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE
from emu.observe.model import records
from emu.observe.model.outcomes import OWN
from emu.observe.model.records import AnyRecord, Range


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
    users: int = 0
    """Number of processes that use it."""
    depth: int = 0
    """Number of forks between it and an exec."""
    far: Memory | None = None
    """A distant ancestor, so that any can be found in few steps (Myers, "An applicative
    random-access stack")."""

    def set_origin(self, fork: Shared) -> None:
        """Links it to its parent, from which ``fork`` made it."""
        self.origin = self.latest = fork
        parent = fork.parent
        self.depth, self.far = parent.depth + 1, parent
        above = parent.far
        farther = above.far if above is not None else None
        if above is None or farther is None:
            return
        if parent.depth - above.depth == above.depth - farther.depth:
            self.far = farther

    def ancestor(self, depth: int) -> Memory | None:
        """The ancestor, or itself, at ``depth``; None if it is less deep."""
        memory = self
        if depth > memory.depth:
            return None
        while memory.depth > depth:
            assert memory.far is not None
            assert memory.origin is not None
            memory = memory.far if memory.far.depth >= depth else memory.origin.parent
        return memory


@dataclass(eq=False, slots=True)
class Shared:
    """A fork that shared memory, the ``number``-th of its run, counted from 1."""

    number: int
    record: records.Fork
    parent: Memory
    child: Memory
    before: Shared | None = None
    """The parent's previous fork, if this one did not share all pages.

    Of consecutive forks that kept back the same pages, the one before the first.
    """

    def shared(self, page: int) -> bool:
        return not among(self.record.left_out, page) and not among(self.record.wiped, page)

    def kept_back_like(self, record: records.Fork) -> bool:
        return self.record.left_out == record.left_out and self.record.wiped == record.wiped


class Lineage:
    """Follows the records of a run; ask before a record is told or after, as you need it."""

    def __init__(self) -> None:
        self._of: dict[int, Memory] = {}
        self._forks = 0

    def of(self, pid: int) -> Memory:
        """What the process has now. A vfork's child has its parent's until it execs."""
        memory = self._of.get(pid)
        if memory is None:
            memory = self._have(pid, Memory(pid))
        return memory

    def lives_on(self, pid: int) -> bool:
        """Whether another process has the memory too: it borrows it, or has outlived its owner."""
        return self.of(pid).users > 1

    def __call__(self, record: AnyRecord) -> None:
        match record:
            case records.Fault() if record.outcome in OWN and not record.loading:
                self.of(record.pid).own[record.page] = record.seq
            case records.Fork():
                self._forked(record)
            case records.Exec():
                self._have(record.pid, Memory(record.pid, record.path.rpartition("/")[2]))
            case records.Exit():
                self._leave(record.pid)
            case records.Move():
                _move(self.of(record.pid).own, record)

    def _have(self, pid: int, memory: Memory) -> Memory:
        self._leave(pid)
        self._of[pid] = memory
        memory.users += 1
        return memory

    def _leave(self, pid: int) -> None:
        memory = self._of.pop(pid, None)
        if memory is not None:
            memory.users -= 1

    def _forked(self, record: records.Fork) -> None:
        parent = self.of(record.pid)
        if record.shares_memory:
            self._have(record.child, parent)
            return
        child = self._have(record.child, Memory(record.child, parent.name))
        self._forks += 1
        before = parent.latest if record.left_out or record.wiped else None
        if before is not None and before.parent is parent and before.kept_back_like(record):
            before = before.before
        fork = Shared(self._forks, record, parent, child, before)
        child.set_origin(fork)
        parent.latest = fork

    def fork_of(self, fault: records.Fault) -> Shared | None:
        """The fork that shared the page; None when none did (mprotect took its W)."""
        memory = self.of(fault.pid)
        between = [self._between(memory, self.of(other.pid)) for other in fault.sharers]
        forks = [fork for fork in between if fork is not None]
        if forks:
            return max(forks, key=lambda fork: fork.number)
        own, latest = memory.own.get(fault.page, -1), memory.latest
        while latest is not None and own < latest.record.seq:
            if latest.shared(fault.page):
                return latest
            latest = latest.before if latest.parent is memory else None
        return None

    def _between(self, memory: Memory, other: Memory) -> Shared | None:
        """The fork at which ``other`` and ``memory`` parted, or by which it came from there."""
        below = other.ancestor(memory.depth + 1)
        if below is not None and below.origin is not None and below.origin.parent is memory:
            return below.origin
        return memory.origin


def among(ranges: Iterable[Range], page: int) -> bool:
    return any(each.start <= page < each.end for each in ranges)


def _move(own: dict[int, int], record: records.Move) -> None:
    pages: Iterable[int] = range(record.start & ~PAGE_MASK, record.end, PAGE_SIZE)
    if record.end - record.start >> PAGE_SHIFT > len(own):
        pages = own
    for page in [page for page in pages if page in own and record.start <= page < record.end]:
        own[page - record.start + record.to] = own.pop(page)

"""The origin of each process's memory: the tree of forks, and the fork to which a copy is
attributed.

A store to a page shared by fork is attributed to the latest fork between the process and another
one that still uses the frame. If the record does not name the others (for a reused page there are
none), it is the latest fork in which the process took part, as parent or child, since it became the
only user of the page.
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
    """The fork that created it; None for an exec."""
    latest: Shared | None = None
    """The latest fork in which it took part."""
    own: dict[int, int] = field(default_factory=dict)
    """Pages of which it became the only user, with the number of the latest record of that."""
    users: int = 0
    """Number of processes that use it."""
    depth: int = 0
    """Number of forks between it and an exec."""
    far: Memory | None = None
    """A distant ancestor, by which any ancestor is found in few steps (Myers, "An applicative
    random-access stack")."""

    def set_origin(self, fork: Shared) -> None:
        """Links it to its parent, from which ``fork`` created it."""
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
        """The ancestor, or itself, at ``depth``; None if its own depth is smaller."""
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
    """A fork that shared memory; ``number`` counts them from 1."""

    number: int
    record: records.Fork
    parent: Memory
    child: Memory
    before: Shared | None = None
    """The parent's previous fork, if this one did not share all pages.

    Of consecutive forks that excluded the same pages, the fork before the first.
    """

    def shared(self, page: int) -> bool:
        return not in_ranges(self.record.left_out, page) and not in_ranges(self.record.wiped, page)

    def excludes_same_pages(self, record: records.Fork) -> bool:
        return self.record.left_out == record.left_out and self.record.wiped == record.wiped


class Lineage:
    """Follows the records of a run; may be queried before or after a record is passed."""

    def __init__(self) -> None:
        self._of: dict[int, Memory] = {}
        self._forks = 0

    def of(self, pid: int) -> Memory:
        """The memory of a process. A vfork's child has its parent's until it calls exec."""
        memory = self._of.get(pid)
        if memory is None:
            memory = self._use(pid, Memory(pid))
        return memory

    def is_in_use_by_others(self, pid: int) -> bool:
        """True if several processes use the memory, as after a vfork."""
        return self.of(pid).users > 1

    def __call__(self, record: AnyRecord) -> None:
        match record:
            case records.Fault() if record.outcome in OWN and not record.loading:
                self.of(record.pid).own[record.page] = record.seq
            case records.Fork():
                self._add_fork(record)
            case records.Exec():
                self._use(record.pid, Memory(record.pid, record.path.rpartition("/")[2]))
            case records.Exit():
                self._leave(record.pid)
            case records.Move():
                _move(self.of(record.pid).own, record)

    def _use(self, pid: int, memory: Memory) -> Memory:
        self._leave(pid)
        self._of[pid] = memory
        memory.users += 1
        return memory

    def _leave(self, pid: int) -> None:
        memory = self._of.pop(pid, None)
        if memory is not None:
            memory.users -= 1

    def _add_fork(self, record: records.Fork) -> None:
        parent = self.of(record.pid)
        if record.shares_memory:
            self._use(record.child, parent)
            return
        child = self._use(record.child, Memory(record.child, parent.name))
        self._forks += 1
        before = parent.latest if record.left_out or record.wiped else None
        if before is not None and before.parent is parent and before.excludes_same_pages(record):
            before = before.before
        fork = Shared(self._forks, record, parent, child, before)
        child.set_origin(fork)
        parent.latest = fork

    def fork_of(self, fault: records.Fault) -> Shared | None:
        """The fork that shared the page; None if none did (mprotect removed W)."""
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
        """The fork that separated ``memory`` and ``other``: of one of its children, or its own."""
        below = other.ancestor(memory.depth + 1)
        if below is not None and below.origin is not None and below.origin.parent is memory:
            return below.origin
        return memory.origin


def in_ranges(ranges: Iterable[Range], page: int) -> bool:
    return any(each.start <= page < each.end for each in ranges)


def _move(own: dict[int, int], record: records.Move) -> None:
    pages: Iterable[int] = range(record.start & ~PAGE_MASK, record.end, PAGE_SIZE)
    if record.end - record.start >> PAGE_SHIFT > len(own):
        pages = own
    for page in [page for page in pages if page in own and record.start <= page < record.end]:
        own[page - record.start + record.to] = own.pop(page)

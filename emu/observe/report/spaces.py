"""Address space of each record: processes may share one, and exec creates a new one."""

from __future__ import annotations

from dataclasses import dataclass, field

from emu.observe.model.records import Exec, Fault, Fork, Range


@dataclass(slots=True)
class Space:
    """An address space. ``root`` is the frame of its root table; 0 while unknown.

    ``bases`` has the lowest address at which each file was mapped: that of its first segment.
    """

    number: int
    root: int = 0
    bases: dict[str, int] = field(default_factory=dict)

    def mapped(self, of: Range) -> None:
        if of.name:
            self.bases[of.name] = min(of.start, self.bases.get(of.name, of.start))


class Spaces:
    """The current address space of each process, as records arrive."""

    def __init__(self) -> None:
        self._count = 0
        self._of: dict[int, Space] = {}
        self._loading: dict[int, Space] = {}

    def of(self, pid: int) -> Space:
        """Returns the space of a process; adds one for an unknown process."""
        space = self._of.get(pid)
        if space is None:
            space = self._of[pid] = self._new()
        return space

    def of_fault(self, fault: Fault) -> Space:
        """Returns a fault's space; execve(2) faults in the new one before the exec record."""
        root = fault.walk[0].address >> 12 if fault.walk else 0
        loading = self._loading.get(fault.pid)
        if loading is not None and loading.root == root:
            return loading
        if fault.loading and root:
            loading = self._loading[fault.pid] = self._new(root)
            return loading
        space = self.of(fault.pid)
        space.root = space.root or root
        return space

    def forked(self, fork: Fork) -> tuple[Space, Space]:
        """Returns the spaces of parent and child, which are the same after vfork."""
        parent = self.of(fork.pid)
        child = parent
        if not fork.shares_memory:
            child = self._new(fork.root)
            child.bases = dict(parent.bases)
        self._of[fork.child] = child
        return parent, child

    def execed(self, record: Exec) -> tuple[Space | None, Space]:
        """Returns the space that the process leaves, and its new one."""
        loading = self._loading.pop(record.pid, None)
        left = self._of.get(record.pid)
        space = loading if loading is not None and loading.root == record.root else None
        if space is None:
            space = self._new(record.root)
        for of in record.maps:
            space.mapped(of)
        self._of[record.pid] = space
        return left, space

    def exited(self, pid: int) -> Space | None:
        self._loading.pop(pid, None)
        return self._of.pop(pid, None)

    def _new(self, root: int = 0) -> Space:
        self._count += 1
        return Space(self._count - 1, root)

"""Which address space each record is about: processes may share one, and exec gives a new one."""

from __future__ import annotations

from dataclasses import dataclass, field

from emu.observe.model.records import Exec, Fault, Fork, Range


@dataclass(slots=True)
class Space:
    """An address space. ``root`` is its root table's frame, 0 while no record has told it.

    ``bases`` has the lowest address at which each file was mapped: where its first segment lies.
    """

    number: int
    root: int = 0
    bases: dict[str, int] = field(default_factory=dict)

    def mapped(self, of: Range) -> None:
        if of.name:
            self.bases[of.name] = min(of.start, self.bases.get(of.name, of.start))


class Spaces:
    """The address space of each process as the records go by."""

    def __init__(self) -> None:
        self._count = 0
        self._of: dict[int, Space] = {}
        self._coming: dict[int, Space] = {}

    def of(self, pid: int) -> Space:
        """A process that the trace has not told of has one too."""
        space = self._of.get(pid)
        if space is None:
            space = self._of[pid] = self._new()
        return space

    def of_fault(self, fault: Fault) -> Space:
        """Execve's faults while it makes an image are in the space that the process is to have."""
        root = fault.walk[0].address >> 12 if fault.walk else 0
        coming = self._coming.get(fault.pid)
        if coming is not None and coming.root == root:
            return coming
        if fault.loading and root:
            coming = self._coming[fault.pid] = self._new(root)
            return coming
        space = self.of(fault.pid)
        space.root = space.root or root
        return space

    def forked(self, fork: Fork) -> tuple[Space, Space]:
        """The parent's and the child's; with vfork they are one."""
        parent = self.of(fork.pid)
        child = parent
        if not fork.shares_memory:
            child = self._new(fork.root)
            child.bases = dict(parent.bases)
        self._of[fork.child] = child
        return parent, child

    def execed(self, record: Exec) -> tuple[Space | None, Space]:
        """The space that the process leaves, and its new one."""
        coming = self._coming.pop(record.pid, None)
        left = self._of.get(record.pid)
        space = coming if coming is not None and coming.root == record.root else None
        if space is None:
            space = self._new(record.root)
        for of in record.maps:
            space.mapped(of)
        self._of[record.pid] = space
        return left, space

    def exited(self, pid: int) -> Space | None:
        self._coming.pop(pid, None)
        return self._of.pop(pid, None)

    def _new(self, root: int = 0) -> Space:
        self._count += 1
        return Space(self._count - 1, root)

"""A world whose invariants are checked after every step, for all scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emu.lab.simulation.cpu import Killed
from emu.machine.pte import PAGE_SIZE
from kernel.base.errors import Errno
from kernel.mm.address_space import AddressSpace
from kernel.mm.outcome import Outcome
from tests.kernel.worlds import BASE, World, anonymous, user_memory
from tests.wrong.checks.check import same

P = PAGE_SIZE
FILE = BASE + 600 * P
"""An address in another leaf table than BASE."""


class Scene(World):
    """Checks its invariants; ``parent`` has ``pages`` private pages, "page 0", "page 1", …"""

    def __init__(self, pages: int = 3, frames: int = 128) -> None:
        super().__init__(frames)
        self.parent = self.space()
        if pages:
            anonymous(self.parent, pages)
        for page in range(pages):
            self.store(self.parent, BASE + page * P, b"page %d" % page)

    def load(self, space: AddressSpace, va: int, count: int = 1) -> bytes:
        found = super().load(space, va, count)
        self.check()
        return found

    def store(self, space: AddressSpace, va: int, data: bytes) -> None:
        super().store(space, va, data)
        self.check()

    def kernel_writes(self, space: AddressSpace, va: int, data: bytes) -> None:
        """Writes as read(2) into ``va``."""
        user_memory(space).write(va, data)
        self.check()

    def fork(self, parent: AddressSpace, policy: str = "cow") -> AddressSpace:
        child = super().fork(parent, policy)
        self.check()
        return child

    def holds(self, space: AddressSpace, va: int, expected: bytes, who: str) -> None:
        """``who`` reads ``expected`` at ``va``."""
        same(self.load(space, va, len(expected)), expected, f"what {who} reads")

    def did(self, *expected: Outcome) -> None:
        """Checks the outcomes of page faults since the last call, in order."""
        found, self.outcomes = self.outcomes, []
        same([str(each) for each in found], [str(each) for each in expected], "page faults")

    def refuses(self, space: AddressSpace, va: int, data: bytes | None, how: Outcome) -> None:
        """Checks that a load, or a store of ``data``, has the fatal outcome ``how``."""
        try:
            if data is None:
                self.load(space, va)
            else:
                self.store(space, va, data)
        except Killed as refused:
            same(str(refused.outcome), str(how), "why it was refused")
        else:
            raise AssertionError(f"access to {va:#x} succeeds, which should be {how}")


@contextmanager
def scene(pages: int = 3, frames: int = 128) -> Iterator[Scene]:
    """A scene that must not leak."""
    scene = Scene(pages, frames)
    yield scene
    scene.check()
    scene.end()


@contextmanager
def refused(number: int) -> Iterator[None]:
    """Checks that the system call fails with this errno."""
    try:
        yield
    except Errno as error:
        same(error.errno, number, "errno")
    else:
        raise AssertionError(f"the call succeeds, which should fail with {number}")

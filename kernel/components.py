"""The parts of memory management that can be exchanged: what a course's lab puts in their place.

Each part has a place in the kernel and one interface. The kernel's own are the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from emu.machine.cause import Access
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu
from kernel.mm.address_space import AddressSpace
from kernel.mm.frames import Frames
from kernel.mm.user_memory import UserMemory

if TYPE_CHECKING:
    from kernel.mm.fault import Outcome
    from kernel.mm.fork import Policy


class Pager(Protocol):
    """What a page fault asks before the kernel's own handler (see ``AddressSpace.pager``)."""

    def resolve(self, space: AddressSpace, page: int, access: Access, pte: int) -> Outcome | None:
        """Makes ``page`` fit for ``access``; None leaves the fault to the kernel's own handler.

        :class:`kernel.base.errors.OutOfMemory` when there is no frame for it.
        """


@dataclass(frozen=True, slots=True)
class Components:
    """What makes each part of a kernel, and ``fork``, which is None for the policy of its name."""

    ram: Callable[[int], Ram] = Ram
    mmu: Callable[[Ram], Mmu] = Mmu
    frames: Callable[[Ram], Frames] = Frames
    space: type[AddressSpace] = AddressSpace
    user_memory: type[UserMemory] = UserMemory
    fork: Policy | None = None
    changed: Callable[[], bool] = lambda: True
    """Whether there is reason for another look at the invariants of memory."""

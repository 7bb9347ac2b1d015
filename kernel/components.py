"""Replaceable components of memory management, for which users and labs supply code of their own.

The kernel's own components are the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu
from kernel.mm.address_space import AddressSpace, Pager
from kernel.mm.faults.user_memory import UserMemory
from kernel.mm.physical.frames import Frames

if TYPE_CHECKING:
    from kernel.mm.forking.fork import Policy


@dataclass(frozen=True, slots=True)
class Components:
    """Factories of a kernel's components, and two that serve all of its processes.

    ``fork`` fills the page table of a child; None for the policy that Config names. ``pager`` is
    called for each page fault before the kernel's own handler.
    """

    ram: Callable[[int], Ram] = Ram
    mmu: Callable[[Ram], Mmu] = Mmu
    frames: Callable[[Ram], Frames] = Frames
    space: type[AddressSpace] = AddressSpace
    user_memory: type[UserMemory] = UserMemory
    fork: Policy | None = None
    pager: Pager | None = None
    by_single_page: bool = False
    """True in labs: a fault maps its page alone, and fork copies the PTEs of all pages."""
    changed: Callable[[], bool] = lambda: True
    """Returns whether the invariants of memory must be checked again."""

"""A walk of the page tables, as an object."""

from __future__ import annotations

from collections.abc import Sequence

from emu.machine.pte import PAGE_SHIFT, V, is_leaf, ppn
from emu.machine.sv39 import Step, Translation
from emu.observe.walk.drawing import Walk
from emu.results.html import block


class PageWalk:
    """The entries that a walk read and its result; as text the drawing of ``emu walk``."""

    def __init__(self, walk: Walk, lines: Sequence[str]) -> None:
        self._walk = walk
        self._lines = list(lines)

    @property
    def address(self) -> int:
        """The virtual address."""
        return self._walk.va

    @property
    def steps(self) -> Sequence[Step]:
        """The entries, root first: ``level``, ``address`` and ``pte`` of each."""
        return self._walk.steps

    @property
    def physical(self) -> int | None:
        """The physical address; None if the access faults."""
        result = self._walk.result
        return result.pa if isinstance(result, Translation) else None

    @property
    def fault(self) -> str:
        """The rule of the privileged spec for which the access faults; empty if it does not."""
        result = self._walk.result
        return "" if isinstance(result, Translation) else result.rule.value

    @property
    def pte(self) -> int:
        """The last entry that was read; 0 if there is none."""
        return (self._walk.steps[-1].pte or 0) if self._walk.steps else 0

    @property
    def frame(self) -> int | None:
        """Number of the frame that maps the address, whether or not the access is allowed."""
        pte = self.pte
        if not pte & V or not is_leaf(pte):
            return None
        within = self.address & (1 << PAGE_SHIFT + 9 * self.steps[-1].level) - 1
        return ppn(pte) + (within >> PAGE_SHIFT)

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def __repr__(self) -> str:
        to = f"{self.physical:#x}" if self.physical is not None else self.fault
        return f"<PageWalk {self.address:#x}: {to}>"

    def _repr_html_(self) -> str:
        return block(str(self))

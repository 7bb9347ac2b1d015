"""The pages of a simulated machine between two operations, each read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emu.machine.pte import PAGE_SHIFT, ppn

if TYPE_CHECKING:
    from emu.lab.simulation.machine import SimulatedMachine


class StateView:
    """Reads page tables and frames when first needed. It is valid until the next operation."""

    def __init__(self, world: SimulatedMachine) -> None:
        self.world = world
        self._pages: dict[int, dict[int, int]] = {}
        self._frames: dict[int, bytes | None] = {}

    def pages(self, pid: int) -> dict[int, int]:
        """Returns the PTE of every mapped page of ``pid``, by address in ascending order."""
        if pid not in self._pages:
            self._pages[pid] = dict(self.world.spaces[pid].table.present())
        return self._pages[pid]

    def content(self, pte: int) -> bytes | None:
        """Returns the bytes of a page; None outside RAM."""
        frame = ppn(pte)
        if frame not in self._frames:
            held = self.world.ram.holds(frame << PAGE_SHIFT)
            self._frames[frame] = self.world.ram.read_frame(frame) if held else None
        return self._frames[frame]

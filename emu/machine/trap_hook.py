"""What answers a trap without the hart's stopping for it."""

from __future__ import annotations

from typing import Protocol


class Vector(Protocol):
    """What a trap handler may do at once, while the program stands at the trap (compare stvec).

    It spares the engine's stop and start, which cost more than most traps' handling. Whatever it
    leaves undone comes out of :meth:`Hart.run` as a trap. It may not run the hart, load registers,
    or change what the program executes.
    """

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        """The result for a0 of the system call at ``epc``; None to have it returned as a trap."""

    def store_fault(self, page: int) -> bool:
        """Whether the page table now allows the store to ``page`` that it did not."""

"""The allocator of frames, as a lab's code sees it."""

from __future__ import annotations

from typing import Protocol


class OutOfFrames(Exception):
    """No frame is free. It is no mistake of yours: the function that can't go on gives back what
    it took so far, and lets this exception pass.
    """


class Frames(Protocol):
    """Frames are named by their number (PPN), and counted: one for each PTE that maps them.

    A page table counts once, for the pointer (or the satp) that leads to it.
    """

    zero: int
    """The frame of zeroes that all untouched pages share; it is never written."""

    def allocate(self) -> int:
        """A frame with count 1 and undefined bytes. Raises :class:`OutOfFrames`."""

    def allocate_table(self) -> int:
        """A frame of zeroes with count 1, for a page table. Raises :class:`OutOfFrames`."""

    def allocate_superpage(self) -> int:
        """The first of 512 frames in a row, at an address that 2 MiB divide, each with count 1.

        Raises :class:`OutOfFrames`.
        """

    def share(self, frame: int) -> None:
        """One more user."""

    def release(self, frame: int) -> None:
        """One user less; the frame is free when it was the last."""

    def count(self, frame: int) -> int:
        """How many users the frame has; 0 when it is free."""

    def is_private(self, frame: int) -> bool:
        """Whether the frame is a process's own memory, which fork must keep apart: neither a page
        of a file, nor memory that is shared on purpose, nor the frame of zeroes.
        """

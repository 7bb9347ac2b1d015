"""The allocator of frames, as the code of a lab uses it."""

from __future__ import annotations

from typing import Protocol


class OutOfFrames(Exception):
    """No frame is free. This is not an error in your code: the function that can't continue
    releases what it allocated so far, and does not catch this exception.
    """


class Frames(Protocol):
    """Allocates frames, identified by their number (PPN), and counts the PTEs that map each.

    The count of a page table is 1: the pointer (or the satp) that refers to it.
    """

    zero: int
    """The frame of zeroes that all untouched pages share; it is never written."""

    def allocate(self) -> int:
        """Returns a frame with count 1 and undefined content. Raises :class:`OutOfFrames`."""

    def allocate_table(self) -> int:
        """Returns a frame of zeroes with count 1, for a page table. Raises :class:`OutOfFrames`."""

    def allocate_superpage(self) -> int:
        """Returns the first of 512 consecutive frames, aligned to 2 MiB, each with count 1.

        Raises :class:`OutOfFrames`.
        """

    def share(self, frame: int) -> None:
        """Increments the frame's count."""

    def release(self, frame: int) -> None:
        """Decrements the frame's count; at 0 the frame is free."""

    def count(self, frame: int) -> int:
        """Returns the frame's count; 0 if it is free."""

    def is_private(self, frame: int) -> bool:
        """Returns True if the frame is private memory of processes, which fork must not leave
        shared and writable; False for a page of a file, a MAP_SHARED mapping, and the zero frame.
        """

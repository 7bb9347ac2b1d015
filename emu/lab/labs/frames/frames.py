"""Lab 2, frames: allocates the frames of physical memory, and counts the users of each.

Physical memory is divided into frames of 4,096 bytes, identified by their number (PPN)::

    frame    first    +1       +2       +3             first + total - 1
            |        |        |        |        |  …  |        |
    users    1        0        3        1              0
             page     free     shared   page table     free

A kernel allocates a frame for each page and each page table. fork(2) shares pages, so a frame has
one user for each PTE that refers to it. It is free again after the last user has released it.
"""

from __future__ import annotations

from emu.lab.kit import Memory, OutOfFrames


class Allocator:
    """Allocates the frames from ``first`` to ``first + total - 1``, all of them free at the start.

    The time that a method takes must not depend on the number of frames.
    """

    def __init__(self, memory: Memory, first: int, total: int) -> None:
        self.memory = memory
        self.first = first
        self.total = total
        # BEGIN SOLUTION: # Add your records of the frames here.
        self.users = [0] * total
        self.free = list(range(first + total - 1, first - 1, -1))
        # END SOLUTION

    def allocate(self) -> int:
        """Returns a free frame, which then has one user. Its bytes are undefined.

        Raises ``OutOfFrames`` if, and only if, no frame is free.
        """
        # BEGIN SOLUTION
        if not self.free:
            raise OutOfFrames
        frame = self.free.pop()
        self.users[frame - self.first] = 1
        return frame
        # END SOLUTION

    def allocate_table(self) -> int:
        """Returns a frame as ``allocate`` does, filled with zeroes: no PTE in it is valid."""
        # BEGIN SOLUTION
        frame = self.allocate()
        self.memory.zero_frame(frame)
        return frame
        # END SOLUTION

    def share(self, frame: int) -> None:
        """Adds a user to the frame. A frame can have any number of users.

        Raises ``ValueError`` for a free frame, which could be allocated at any time.
        """
        # BEGIN SOLUTION
        if not self.users[frame - self.first]:
            raise ValueError(f"frame {frame:#x} is free, and can't be shared")
        self.users[frame - self.first] += 1
        # END SOLUTION

    def release(self, frame: int) -> None:
        """Removes a user from the frame. A frame without users is free.

        Raises ``ValueError`` for a free frame, and changes nothing.
        """
        # BEGIN SOLUTION
        if not self.users[frame - self.first]:
            raise ValueError(f"frame {frame:#x} is free, and was released again")
        self.users[frame - self.first] -= 1
        if not self.users[frame - self.first]:
            self.free.append(frame)
        # END SOLUTION

    def count(self, frame: int) -> int:
        """Returns the number of users of the frame; 0 if it is free."""
        # BEGIN SOLUTION
        return self.users[frame - self.first]
        # END SOLUTION

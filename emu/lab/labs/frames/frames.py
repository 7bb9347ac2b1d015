"""Lab 2, frames: who has which frame of physical memory, and how many share it.

Physical memory is cut into frames of 4,096 bytes, named by their number (PPN)::

    frame    first    +1       +2       +3             first + total - 1
            |        |        |        |        |  …  |        |
    users    1        0        3        1              0
             page     free     shared   page table     free

A kernel allocates a frame for each page and each page table. fork(2) shares pages, so a frame has
as many users as PTEs name it; it is free again when the last one has released it.
"""

from __future__ import annotations

from emu.lab.kit import Memory, OutOfFrames


class Allocator:
    """Hands out the frames from ``first`` to before ``first + total``, all free at the start.

    No method may take longer the more frames there are.
    """

    def __init__(self, memory: Memory, first: int, total: int) -> None:
        self.memory = memory
        self.first = first
        self.total = total
        # BEGIN SOLUTION: # Here: what you have to remember of each frame.
        self.users = [0] * total
        self.free = list(range(first + total - 1, first - 1, -1))
        # END SOLUTION

    def allocate(self) -> int:
        """A frame that was free, whatever its bytes are. It has one user now.

        Raises ``OutOfFrames`` when no frame is free, and only then.
        """
        # BEGIN SOLUTION
        if not self.free:
            raise OutOfFrames
        frame = self.free.pop()
        self.users[frame - self.first] = 1
        return frame
        # END SOLUTION

    def allocate_table(self) -> int:
        """As ``allocate``, for a page table: its bytes are zero, so no PTE in it is valid."""
        # BEGIN SOLUTION
        frame = self.allocate()
        self.memory.zero_frame(frame)
        return frame
        # END SOLUTION

    def share(self, frame: int) -> None:
        """The frame has one user more. There may be any number of them.

        Raises ``ValueError`` for a frame that is free: it could be handed out at any time.
        """
        # BEGIN SOLUTION
        if not self.users[frame - self.first]:
            raise ValueError(f"frame {frame:#x} is free, and can't be shared")
        self.users[frame - self.first] += 1
        # END SOLUTION

    def release(self, frame: int) -> None:
        """The frame has one user less. When that was the last one, it is free.

        Raises ``ValueError`` for a frame that is free already, and changes nothing.
        """
        # BEGIN SOLUTION
        if not self.users[frame - self.first]:
            raise ValueError(f"frame {frame:#x} is free, and was released again")
        self.users[frame - self.first] -= 1
        if not self.users[frame - self.first]:
            self.free.append(frame)
        # END SOLUTION

    def count(self, frame: int) -> int:
        """How many users the frame has; 0 when it is free."""
        # BEGIN SOLUTION
        return self.users[frame - self.first]
        # END SOLUTION

"""Wrong solutions of the lab ``frames``."""

from __future__ import annotations

from emu.lab.graded.mutant import WrongSolution

_OUT = """        if not self.free:
            raise OutOfFrames
"""
_SHARE_CHECK = """        if not self.users[frame - self.first]:
            raise ValueError(f"frame {frame:#x} is free, and can't be shared")
"""
_RELEASE_CHECK = """        if not self.users[frame - self.first]:
            raise ValueError(f"frame {frame:#x} is free, and was released again")
"""
_RELEASE = """        self.users[frame - self.first] -= 1
        if not self.users[frame - self.first]:
            self.free.append(frame)
"""
_ADD = "self.users[frame - self.first] += 1"
_ONE = "self.users[frame - self.first] = 1"

WRONG: list[WrongSolution] = [
    WrongSolution(
        "not-taken-off-the-list",
        "a frame that is handed out stays on the free list",
        "self.free.pop()",
        "self.free[-1]",
        ("handed-out-once",),
    ),
    WrongSolution(
        "out-of-frames-not-asked",
        "whether a frame is free is not asked, so that Python raises IndexError",
        _OUT,
        "",
        ("running-out",),
    ),
    WrongSolution(
        "zero-for-none",
        "0 is returned when no frame is free, as kalloc() does",
        "            raise OutOfFrames\n",
        "            return 0\n",
        ("frames-exist",),
    ),
    WrongSolution(
        "last-frame-never",
        "the last frame is never handed out",
        "range(first + total - 1, first - 1, -1)",
        "range(first + total - 2, first - 1, -1)",
        ("running-out",),
        left=(50, 90),
    ),
    WrongSolution(
        "first-frame-never",
        "the first frame is never handed out",
        "range(first + total - 1, first - 1, -1)",
        "range(first + total - 1, first, -1)",
        ("running-out",),
    ),
    WrongSolution(
        "one-frame-beyond",
        "the frame after the last is handed out too",
        """        self.users = [0] * total
        self.free = list(range(first + total - 1, first - 1, -1))""",
        """        self.users = [0] * (total + 1)
        self.free = list(range(first + total, first - 1, -1))""",
        ("frames-exist",),
    ),
    WrongSolution(
        "from-frame-zero",
        "frames are numbered from 0 instead of from first",
        "        frame = self.free.pop()\n",
        "        frame = self.free.pop()\n        return frame - self.first\n",
        ("frames-exist",),
    ),
    WrongSolution(
        "addresses-for-numbers",
        "the frame's address is returned, not its number",
        f"        {_ONE}\n        return frame\n",
        f"        {_ONE}\n        return frame << 12\n",
        ("frames-exist",),
    ),
    WrongSolution(
        "one-frame-kept-back",
        "OutOfFrames is raised while one frame is free",
        "if not self.free:",
        "if len(self.free) <= 1:",
        ("running-out",),
    ),
    WrongSolution(
        "counts-of-a-byte",
        "a count has 8 bits, and begins again at 0",
        _ADD,
        "self.users[frame - self.first] = self.users[frame - self.first] + 1 & 0xFF",
        ("300-sharers",),
    ),
    WrongSolution(
        "counts-stop-at-255",
        "a count that is full stays so",
        _ADD,
        "self.users[frame - self.first] = min(self.users[frame - self.first] + 1, 255)",
        ("300-sharers",),
        left=(55, 95),
    ),
    WrongSolution(
        "counts-in-a-bytearray",
        "the counts are bytes, so that Python raises ValueError",
        "self.users = [0] * total",
        "self.users = bytearray(total)",
        ("300-sharers",),
    ),
    WrongSolution(
        "counts-of-16-bits",
        "a count has 16 bits, and begins again at 0",
        _ADD,
        "self.users[frame - self.first] = self.users[frame - self.first] + 1 & 0xFFFF",
        ("70000-sharers",),
    ),
    WrongSolution(
        "share-not-counted",
        "share() does not count",
        _ADD,
        "pass",
        ("share", "counts-are-right"),
    ),
    WrongSolution(
        "handed-out-uncounted",
        "a frame that is handed out has no user",
        f"        {_ONE}\n",
        "",
        ("counts-are-right", "raised"),
    ),
    WrongSolution(
        "freed-by-the-first",
        "the first release frees a frame that others use",
        _RELEASE,
        "        self.users[frame - self.first] -= 1\n        self.free.append(frame)\n",
        ("handed-out-once",),
    ),
    WrongSolution(
        "freed-with-one-user",
        "a frame is free when one user is left",
        "        if not self.users[frame - self.first]:\n            self.free.append(frame)",
        "        if self.users[frame - self.first] == 1:\n            self.free.append(frame)",
        ("handed-out-once", "running-out"),
    ),
    WrongSolution(
        "never-free-again",
        "a released frame is not handed out again",
        "            self.free.append(frame)\n",
        "            pass\n",
        ("running-out",),
        left=(50, 90),
    ),
    WrongSolution(
        "last-user-kept",
        "the last release leaves the count at 1",
        _RELEASE,
        """        if self.users[frame - self.first] == 1:
            self.free.append(frame)
        else:
            self.users[frame - self.first] -= 1
""",
        ("counts-are-right",),
    ),
    WrongSolution(
        "free-until-full",
        "free frames are found again only when all frames were handed out once, and then all are",
        _OUT,
        """        if not self.free:
            self.free = [self.first + n for n in range(self.total) if self.users[n] <= 1]
        if not self.free:
            raise OutOfFrames
""",
        ("handed-out-once",),
    ),
    WrongSolution(
        "table-not-zeroed",
        "a page table has the bytes that its frame had before",
        "        self.memory.zero_frame(frame)\n",
        "",
        ("tables-are-zero",),
    ),
    WrongSolution(
        "table-half-zeroed",
        "only the first 512 bytes of a page table are zeroed, as if a PTE had one",
        "self.memory.zero_frame(frame)",
        "self.memory.write(frame << 12, bytes(512))",
        ("tables-are-zero",),
    ),
    WrongSolution(
        "zeroed-at-the-start",
        "all frames are zeroed once, and none when it is used again",
        "        self.memory.zero_frame(frame)\n",
        "        if not hasattr(self, 'seen'):\n            self.seen = set()\n"
        "        if frame not in self.seen:\n            self.memory.zero_frame(frame)\n"
        "        self.seen.add(frame)\n",
        ("tables-are-zero",),
    ),
    WrongSolution(
        "zeroed-by-every-release",
        "a release zeroes the frame, which others may still use",
        "        self.users[frame - self.first] -= 1\n",
        "        self.users[frame - self.first] -= 1\n        self.memory.zero_frame(frame)\n",
        ("used-frames-are-left-alone",),
    ),
    WrongSolution(
        "number-for-address",
        "the frame's number is taken for its address",
        "self.memory.zero_frame(frame)",
        "self.memory.write(frame, bytes(4096))",
        ("raised",),
    ),
    WrongSolution(
        "release-again-passes",
        "the release of a free frame is taken in silence",
        _RELEASE_CHECK,
        "        if not self.users[frame - self.first]:\n            return\n",
        ("release-of-a-free-frame",),
    ),
    WrongSolution(
        "release-unchecked",
        "the release of a free frame makes its count -1",
        _RELEASE_CHECK,
        "",
        ("release-of-a-free-frame",),
    ),
    WrongSolution(
        "released-before-the-check",
        "the count of a free frame is lowered before the ValueError is raised",
        _RELEASE_CHECK + _RELEASE,
        """        self.users[frame - self.first] -= 1
        if self.users[frame - self.first] < 0:
            raise ValueError(f"frame {frame:#x} was released again")
        if not self.users[frame - self.first]:
            self.free.append(frame)
""",
        ("counts-are-right",),
    ),
    WrongSolution(
        "share-unchecked",
        "a free frame can be shared, and has a user then that did not get it",
        _SHARE_CHECK,
        "",
        ("share-of-a-free-frame",),
    ),
    WrongSolution(
        "looks-through-all",
        "each allocation looks through all frames for one that is free",
        "        frame = self.free.pop()\n",
        "        frame = self.first + self.users.index(0)\n        self.free.remove(frame)\n",
        ("too-long",),
    ),
    WrongSolution(
        "no-table-left",
        "allocate_table() does not let OutOfFrames pass",
        "        frame = self.allocate()\n",
        "        try:\n            frame = self.allocate()\n"
        "        except OutOfFrames:\n            return 0\n",
        ("frames-exist",),
    ),
    WrongSolution(
        "used-from-the-start",
        "a frame that was never handed out counts as used, so its release passes",
        "self.users = [0] * total",
        "self.users = [1] * total",
        ("release-of-a-free-frame", "counts-are-right"),
    ),
]

"""Mutants of the lab ``frames``."""

from __future__ import annotations

from emu.lab.graded.mutant import Mutant

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

MUTANTS: list[Mutant] = [
    Mutant(
        "not-removed-from-the-list",
        "an allocated frame stays on the free list",
        "self.free.pop()",
        "self.free[-1]",
        ("handed-out-once",),
    ),
    Mutant(
        "free-list-not-checked",
        "an empty free list is not checked for, so that Python raises IndexError",
        _OUT,
        "",
        ("running-out",),
    ),
    Mutant(
        "zero-for-none",
        "0 is returned when no frame is free, as kalloc() does",
        "            raise OutOfFrames\n",
        "            return 0\n",
        ("frames-exist",),
    ),
    Mutant(
        "last-frame-never",
        "the last frame is never allocated",
        "range(first + total - 1, first - 1, -1)",
        "range(first + total - 2, first - 1, -1)",
        ("running-out",),
        points_range=(50, 90),
    ),
    Mutant(
        "first-frame-never",
        "the first frame is never allocated",
        "range(first + total - 1, first - 1, -1)",
        "range(first + total - 1, first, -1)",
        ("running-out",),
    ),
    Mutant(
        "one-frame-beyond",
        "the frame after the last one is allocated too",
        """        self.users = [0] * total
        self.free = list(range(first + total - 1, first - 1, -1))""",
        """        self.users = [0] * (total + 1)
        self.free = list(range(first + total, first - 1, -1))""",
        ("frames-exist",),
    ),
    Mutant(
        "from-frame-zero",
        "frames are numbered from 0 instead of from first",
        "        frame = self.free.pop()\n",
        "        frame = self.free.pop()\n        return frame - self.first\n",
        ("frames-exist",),
    ),
    Mutant(
        "addresses-for-numbers",
        "the frame's address is returned, not its number",
        f"        {_ONE}\n        return frame\n",
        f"        {_ONE}\n        return frame << 12\n",
        ("frames-exist",),
    ),
    Mutant(
        "one-frame-withheld",
        "OutOfFrames is raised while one frame is free",
        "if not self.free:",
        "if len(self.free) <= 1:",
        ("running-out",),
    ),
    Mutant(
        "counts-of-a-byte",
        "a count has 8 bits, and wraps to 0",
        _ADD,
        "self.users[frame - self.first] = self.users[frame - self.first] + 1 & 0xFF",
        ("300-sharers",),
    ),
    Mutant(
        "counts-stop-at-255",
        "a count does not exceed 255",
        _ADD,
        "self.users[frame - self.first] = min(self.users[frame - self.first] + 1, 255)",
        ("300-sharers",),
        points_range=(55, 95),
    ),
    Mutant(
        "counts-in-a-bytearray",
        "the counts are bytes, so that Python raises ValueError",
        "self.users = [0] * total",
        "self.users = bytearray(total)",
        ("300-sharers",),
    ),
    Mutant(
        "counts-of-16-bits",
        "a count has 16 bits, and wraps to 0",
        _ADD,
        "self.users[frame - self.first] = self.users[frame - self.first] + 1 & 0xFFFF",
        ("70000-sharers",),
    ),
    Mutant(
        "share-not-counted",
        "share() does not count",
        _ADD,
        "pass",
        ("share", "counts-are-right"),
    ),
    Mutant(
        "allocated-uncounted",
        "an allocated frame has no user",
        f"        {_ONE}\n",
        "",
        ("counts-are-right", "raised"),
    ),
    Mutant(
        "freed-by-the-first-release",
        "the first release frees a frame that others use",
        _RELEASE,
        "        self.users[frame - self.first] -= 1\n        self.free.append(frame)\n",
        ("handed-out-once",),
    ),
    Mutant(
        "freed-with-one-user",
        "a frame is free when one user is left",
        "        if not self.users[frame - self.first]:\n            self.free.append(frame)",
        "        if self.users[frame - self.first] == 1:\n            self.free.append(frame)",
        ("handed-out-once", "running-out"),
    ),
    Mutant(
        "never-free-again",
        "a released frame is never allocated again",
        "            self.free.append(frame)\n",
        "            pass\n",
        ("running-out",),
        points_range=(50, 90),
    ),
    Mutant(
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
    Mutant(
        "free-until-full",
        "free frames are searched for when the free list is empty, and used ones are found too",
        _OUT,
        """        if not self.free:
            self.free = [self.first + n for n in range(self.total) if self.users[n] <= 1]
        if not self.free:
            raise OutOfFrames
""",
        ("handed-out-once",),
    ),
    Mutant(
        "table-not-zeroed",
        "a page table has the old bytes of its frame",
        "        self.memory.zero_frame(frame)\n",
        "",
        ("tables-are-zero",),
    ),
    Mutant(
        "table-half-zeroed",
        "only the first 512 bytes of a page table are zeroed, as if a PTE had one",
        "self.memory.zero_frame(frame)",
        "self.memory.write(frame << 12, bytes(512))",
        ("tables-are-zero",),
    ),
    Mutant(
        "zeroed-at-the-start",
        "frames are zeroed at the first use only",
        "        self.memory.zero_frame(frame)\n",
        "        if not hasattr(self, 'seen'):\n            self.seen = set()\n"
        "        if frame not in self.seen:\n            self.memory.zero_frame(frame)\n"
        "        self.seen.add(frame)\n",
        ("tables-are-zero",),
    ),
    Mutant(
        "zeroed-by-every-release",
        "a release zeroes the frame, which others may still use",
        "        self.users[frame - self.first] -= 1\n",
        "        self.users[frame - self.first] -= 1\n        self.memory.zero_frame(frame)\n",
        ("used-frames-are-left-alone",),
    ),
    Mutant(
        "number-for-address",
        "the frame's number is used as its address",
        "self.memory.zero_frame(frame)",
        "self.memory.write(frame, bytes(4096))",
        ("raised",),
    ),
    Mutant(
        "release-again-passes",
        "the release of a free frame is ignored",
        _RELEASE_CHECK,
        "        if not self.users[frame - self.first]:\n            return\n",
        ("release-of-a-free-frame",),
    ),
    Mutant(
        "release-unchecked",
        "the release of a free frame makes its count -1",
        _RELEASE_CHECK,
        "",
        ("release-of-a-free-frame",),
    ),
    Mutant(
        "released-before-the-check",
        "the count of a free frame is decremented before the ValueError is raised",
        _RELEASE_CHECK + _RELEASE,
        """        self.users[frame - self.first] -= 1
        if self.users[frame - self.first] < 0:
            raise ValueError(f"frame {frame:#x} was released again")
        if not self.users[frame - self.first]:
            self.free.append(frame)
""",
        ("counts-are-right",),
    ),
    Mutant(
        "share-unchecked",
        "a free frame can be shared",
        _SHARE_CHECK,
        "",
        ("share-of-a-free-frame",),
    ),
    Mutant(
        "searches-all-frames",
        "each allocation searches all frames for a free one",
        "        frame = self.free.pop()\n",
        "        frame = self.first + self.users.index(0)\n        self.free.remove(frame)\n",
        ("too-long",),
    ),
    Mutant(
        "no-table-left",
        "allocate_table() does not propagate OutOfFrames",
        "        frame = self.allocate()\n",
        "        try:\n            frame = self.allocate()\n"
        "        except OutOfFrames:\n            return 0\n",
        ("frames-exist",),
    ),
    Mutant(
        "used-from-the-start",
        "a frame that was never allocated has a user, so its release is accepted",
        "self.users = [0] * total",
        "self.users = [1] * total",
        ("release-of-a-free-frame", "counts-are-right"),
    ),
]

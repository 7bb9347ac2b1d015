"""The allocator miscounts, or hands out what it should not."""

from __future__ import annotations

from tests.wrong.variant import wrong

VARIANTS = [
    wrong(
        "share-uncounted", "an added holder of a frame is not counted",
        "kernel.mm.physical.frames:Frames.share", "+= 1", "+= 0",
    ),
    wrong(
        "share-counted-twice", "an added holder counts as two",
        "kernel.mm.physical.frames:Frames.share", "+= 1", "+= 2",
    ),
    wrong(
        "release-uncounted", "a released holder is not counted",
        "kernel.mm.physical.frames:Frames.release", "self._count[index] - 1", "self._count[index]",
    ),
    wrong(
        "freed-while-mapped", "a frame is free when one holder is left",
        "kernel.mm.physical.frames:Frames.release", "if left == 0:", "if left <= 1:",
    ),
    wrong(
        "never-freed", "a frame without holders is not given back",
        "kernel.mm.physical.frames:Frames.release", "if left == 0:", "if False:",
    ),
    wrong(
        "share-all-counts-once", "a frame that two PTEs of one table map is counted once",
        "kernel.mm.physical.frames:Frames.share_all",
        "np.add.at(self.counts, again, 1)", "self.counts[again] += 1",
    ),
    wrong(
        "release-all-counts-once", "a frame that two PTEs of one table map is released once",
        "kernel.mm.physical.frames:Frames.release_all",
        "np.subtract.at(self.counts, again, 1)", "self.counts[again] -= 1",
    ),
    wrong(
        "release-all-frees-twice", "a frame that two PTEs of one table map is freed for each",
        "kernel.mm.physical.frames:Frames.release_all",
        "distinct(freed)", "freed",
    ),
    wrong(
        "all-taken-for-single", "a process is thought to map no frame twice",
        "kernel.mm.physical.frames:Frames._by_repetition", "if single.all():", "if True:",
    ),
    wrong(
        "not-zeroed", "a frame that was used before is handed out as it was left",
        "kernel.mm.physical.frames:Frames.allocate_zeroed",
        "if self._untouched == untouched:", "if False:",
    ),
    wrong(
        "free-list-unused", "freed frames are never handed out again",
        "kernel.mm.physical.frames:Frames._give_back",
        "self._free.frombytes(np.sort(indices)[::-1].tobytes())", "pass",
    ),
    wrong(
        "kind-kept", "a free frame keeps the kind it had",
        "kernel.mm.physical.frames:Frames._give_back", "self.kinds[indices] = Kind.FREE", "pass",
    ),
    wrong(
        "half-a-page", "a copy is of half a page",
        "emu.machine.ram:Ram.copy_frame",
        "words[to : to + PTES_PER_TABLE] = words[start : start + PTES_PER_TABLE]",
        "words[to : to + 256] = words[start : start + 256]",
    ),
    wrong(
        "copy-backwards", "a copy goes from the new frame to the old",
        "emu.machine.ram:Ram.copy_frame",
        "words[to : to + PTES_PER_TABLE] = words[start : start + PTES_PER_TABLE]",
        "words[start : start + PTES_PER_TABLE] = words[to : to + PTES_PER_TABLE]",
    ),
]  # fmt: skip

"""The loops over PTEs, which fork, exit and copies of tables use, leave something out."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_LOOPS = "kernel.mm.physical.pte_loops"
_share = partial(wrong, where=f"{_LOOPS}:share")
_take_w = partial(wrong, where=f"{_LOOPS}:take_w")
_count = partial(wrong, where=f"{_LOOPS}:count")
_release = partial(wrong, where=f"{_LOOPS}:release")
_span = partial(wrong, where="kernel.mm.forking.fork:_share_span")
_give_back = partial(wrong, where="kernel.mm.physical.table_frames:TableFrames.release_pages")

VARIANTS = [
    wrong(
        "upper-half-without-pages", "the upper half of a table counts as empty",
        f"{_LOOPS}:maps_a_page", "range(first, last)", "range(first, (first + last) // 2)",
    ),
    _share(
        "loop-shares-uncounted", "the loop does not count the child as a user of the frames",
        old="counts[index] += 1", new="pass",
    ),
    _share(
        "loop-shares-unmarked", "the loop does not mark the frames as shared by a fork",
        old="marks[index] |= FORKED", new="pass",
    ),
    _share(
        "loop-marks-the-cache", "the loop counts pages of files as private",
        old="if kinds[index] == _PRIVATE:", new="if True:",
    ),
    _share(
        "loop-leaves-the-child-empty", "the loop writes no PTE of the child",
        old="words[target + offset] = pte & mask", new="pass",
    ),
    _share(
        "loop-keeps-all-flags", "the child has accessed all pages that its parent has",
        old="pte & mask", new="pte",
    ),
    _take_w(
        "loop-leaves-w", "the loop marks pages as CoW that keep W",
        old="pte ^ W | cow", new="pte | cow",
    ),
    _take_w(
        "loop-marks-none", "the loop takes W and marks no page as CoW",
        old="pte ^ W | cow", new="pte ^ W",
    ),
    _take_w(
        "loop-marks-read-only", "the loop marks read-only pages as CoW too",
        old="if pte & W:\n            words[at] = pte ^ W | cow",
        new="if pte & V:\n            words[at] = pte & ~W | cow",
    ),
    _take_w("loop-counts-no-lost-w", "the loop counts no PTE that lost W",
            old="lost += 1", new="pass"),
    _span("loop-parts-shared-memory", "the loop marks shared memory as CoW",
          old="cow=not span.shared", new="cow=True"),
    _span("loop-never-cow", "the loop leaves W to private pages",
          old="cow=not span.shared", new="cow=False"),
    _span("loop-cost-without-lost-w", "a fork by loops does not count the parent's PTEs",
          old="pages + lost", new="pages"),
    _count("zeroes-count-as-private", "a shared table counts its zeroes as private pages",
           old="== _PRIVATE", new="!= 0"),
    _count("loop-counts-no-private", "a shared table counts no private pages",
           old="private += 1", new="pass"),
    _count("loop-counts-zeroes-as-resident", "zeroes in a shared table count as resident",
           old="zeroes += 1", new="pass"),
    _release("loop-releases-uncounted", "exit leaves the counts as they were",
             old="counts[index] = left", new="pass"),
    _release("loop-frees-none", "exit frees no frame that only the process had",
             old="if left == 0:", new="if False:"),
    _release("loop-frees-shared", "exit frees frames that another process has too",
             old="if left == 0:", new="if left <= 1:"),
    _give_back("freed-kind-mask", "a frame freed at exit is still of its kind",
               old="self._kind[index] = 0", new="pass"),
    _give_back("freed-used-mask", "frames freed at exit count as used",
               old="self.used -= number", new="pass"),
]  # fmt: skip

"""Fork shares too much, too little, or forgets to say so."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import Edit, Variant, wrong

_fork = partial(wrong, where="kernel.fork:fork")
_cow = partial(wrong, where="kernel.fork:cow")
_eager = partial(wrong, where="kernel.fork:eager")

VARIANTS = [
    _fork(
        "no-flush-at-fork", "the TLB still lets the parent store to what is shared now",
        old="finally:\n        parent.flush_tlb()", new="finally:\n        pass",
    ),
    _cow(
        "w-left-in-parent", "the parent keeps W, and no CoW mark",
        old="ptes[writable] =", new="ptes = ptes.copy()\n            ptes[writable] =",
    ),
    _cow(
        "w-left-in-child", "the child gets W, and no CoW mark",
        old="target[:] = ptes",
        new="target[:] = ptes\n        if not vma.shared:\n"
        "            target[writable] ^= np.uint64(W | COW)",
    ),
    _cow(
        "no-mark-in-child", "only the parent's PTE is marked CoW",
        old="target[:] = ptes", new="target[:] = ptes & ~np.uint64(COW)",
    ),
    _cow(
        "no-mark-in-parent", "only the child's PTE is marked CoW",
        old="target[:] = ptes", new="target[:] = ptes\n        ptes &= ~np.uint64(COW)",
    ),
    _cow(
        "mark-on-read-only", "read-only pages are marked CoW too",
        old="writable = (ptes & W) != 0", new="writable = (ptes & V) != 0",
    ),
    _cow(
        "w-kept-beside-cow", "pages are marked CoW and keep W",
        old="ptes[writable] & ~np.uint64(W) |", new="ptes[writable] |",
    ),
    _cow(
        "fork-uncounted", "fork does not count the child as a user of the frames",
        old="frames.share_all(mapped)", new="pass",
    ),
    _cow(
        "fork-counted-twice", "fork counts the child as two users",
        old="frames.share_all(mapped)",
        new="frames.share_all(mapped)\n        frames.share_all(mapped)",
    ),
    _cow(
        "shared-memory-parted", "shared memory is marked CoW as private memory is",
        old="if not vma.shared:", new="if True:",
    ),
    _cow(
        "last-page-forgotten", "the child lacks the last page of each mapping",
        old="target[:] = ptes", new="target[:-1] = ptes[:-1]",
    ),
    _cow(
        "count-lost-in-failing-fork", "the frames are counted before a table is asked for in vain",
        old="target = child.table.range_at(va, len(ptes))",
        new="frames.share_all(mapped)\n        target = child.table.range_at(va, len(ptes))\n"
        "        frames.release_all(mapped)",
    ),
    _fork(
        "failed-fork-leaks", "a fork that finds no frame leaves the child's tables behind",
        old="child.leave()\n        raise", new="raise",
    ),
    _fork(
        "dontfork-ignored", "MADV_DONTFORK does nothing",
        old="if vma.dont_fork:", new="if False:",
    ),
    _fork(
        "wipeonfork-ignored", "MADV_WIPEONFORK does nothing",
        old="if not vma.wipe_on_fork:", new="if True:",
    ),
    _fork(
        "brk-not-inherited", "the child's heap begins at 0",
        old="child.brk_start, child.brk = parent.brk_start, parent.brk", new="pass",
    ),
    _fork(
        "stack-limit-not-inherited", "the child has the default stack limit",
        old=", child.stack_limit = parent.mmap_top, parent.stack_limit", new=" = parent.mmap_top",
    ),
    _eager(
        "eager-shares", "the eager policy shares what it should copy",
        old="if frames.kind(frame) is Kind.PRIVATE:", new="if False:",
    ),
    _eager(
        "eager-copies-nothing", "the eager policy allocates a frame and leaves it as it was",
        old="frames.ram.copy_frame(frame, copy)", new="pass",
    ),
    Variant(
        "ptes-swapped", "after a break the writer has the old frame and the other the copy",
        (
            Edit(
                "kernel.fork:fork",
                "    return child, cost",
                "    parent.twin, child.twin = child, parent\n    return child, cost",
            ),
            Edit(
                "kernel.fault:_break_cow",
                "    frames.release(frame)",
                "    frames.release(frame)\n    other = getattr(space, 'twin', None)\n"
                "    if other is not None and ppn(other.table.pte(page)) == frame:\n"
                "        mine, theirs = space.table.pte(page), other.table.pte(page)\n"
                "        space.table.set_pte(page, theirs)\n"
                "        other.table.set_pte(page, mine)",
            ),
        ),
    ),
]  # fmt: skip

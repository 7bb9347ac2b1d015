"""Fork shares too much or too little, or does not count it."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import Edit, Variant, wrong

_fork = partial(wrong, where="kernel.mm.forking.fork:fork")
_share = partial(wrong, where="kernel.mm.forking.fork:_share_pages")
_TAKE_W = "kernel.mm.forking.fork:_take_w"

VARIANTS = [
    _fork(
        "no-flush-at-fork", "the TLB still lets the parent store to what is shared now",
        old="finally:\n        parent.flush_tlb()", new="finally:\n        pass",
    ),
    _share(
        "w-left-in-parent", "the parent keeps W, and no CoW mark",
        old="parent.table.write(part)", new="pass",
    ),
    _share(
        "w-left-in-child", "the child gets W, and no CoW mark",
        old="        parent.table.write(part)\n    if not parent.inherits_all",
        new="        parent.table.write(part)\n"
        "        part.ptes[part.ptes & COW != 0] ^= np.uint64(W | COW)\n"
        "    if not parent.inherits_all",
    ),
    _share(
        "no-mark-in-child", "only the parent's PTE is marked CoW",
        old="child.table.write(part)",
        new="part.ptes[:] &= ~np.uint64(COW)\n    child.table.write(part)",
    ),
    _share(
        "no-mark-in-parent", "only the child's PTE is marked CoW",
        old="parent.table.write(part)",
        new="parent.table.write(Part(part.keys, part.first, part.last, "
        "part.ptes & ~np.uint64(COW)))",
    ),
    Variant(
        "mark-on-read-only", "read-only pages are marked CoW too",
        (
            Edit(_TAKE_W, "if count:", "if True:"),
            Edit(_TAKE_W, "writable // W * COW", "(ptes & V) * COW"),
        ),
    ),
    wrong(
        "w-kept-beside-cow", "pages are marked CoW and keep W",
        _TAKE_W, "ptes ^= writable", "pass",
    ),
    _share(
        "fork-uncounted", "fork does not count the child as a user of the frames",
        old="parent.frames.share_all(mapped)", new="pass",
    ),
    _share(
        "fork-counted-twice", "fork counts the child as two users",
        old="parent.frames.share_all(mapped)",
        new="parent.frames.share_all(mapped)\n    parent.frames.share_all(mapped)",
    ),
    _share(
        "shared-memory-parted", "shared memory is marked CoW as private memory is",
        old="if not shared and", new="if",
    ),
    _share(
        "last-page-forgotten", "the child lacks the last page of each mapping",
        old="child.table.write(part)",
        new="child.table.write(Part(part.keys, part.first, part.last - 1, part.ptes[:, :-1]))",
    ),
    _share(
        "count-lost-in-failing-fork", "the frames are counted before an allocation that fails",
        old="child.table.make_tables(part)",
        new="parent.frames.share_all(part.ptes[present])\n    child.table.make_tables(part)\n"
        "    parent.frames.release_all(part.ptes[present])",
    ),
    _fork(
        "failed-fork-leaks", "a fork that finds no frame leaves the child's tables behind",
        old="child.leave()\n        raise", new="raise",
    ),
    wrong(
        "dontfork-ignored", "MADV_DONTFORK does nothing",
        "kernel.mm.mappings.vma_list:VmaList.inherit", " if not vma.dont_fork", "",
    ),
    Variant(
        "wipeonfork-ignored", "MADV_WIPEONFORK does nothing",
        (
            Edit("kernel.mm.forking.fork:_is_inherited", " and not vma.wipe_on_fork", ""),
            Edit("kernel.mm.mappings.vma:Vma.inherited", " and not self.wipe_on_fork", ""),
        ),
    ),
    _fork(
        "brk-not-inherited", "the child's heap begins at 0",
        old="child.brk_start, child.brk = parent.brk_start, parent.brk", new="pass",
    ),
    _fork(
        "stack-limit-not-inherited", "the child has the default stack limit",
        old=", child.stack_limit = parent.mmap_top, parent.stack_limit", new=" = parent.mmap_top",
    ),
    wrong(
        "eager-shares", "the eager policy shares what it should copy",
        "kernel.mm.forking.fork:eager", "if span.shared:", "if True:",
    ),
    wrong(
        "eager-copies-nothing", "the eager policy allocates a frame and leaves it as it was",
        "kernel.mm.forking.fork:_copies", "frames.ram.copy_frame(frame, copies[-1])", "pass",
    ),
    wrong(
        "eager-uncounted", "the eager policy does not count the frames that stay shared",
        "kernel.mm.forking.fork:_copy_pages", "frames.share_all(mapped[~private])", "pass",
    ),
    wrong(
        "failed-eager-leaks", "the frames that a failing fork has copied to are lost",
        "kernel.mm.forking.fork:_copies", "frames.release(copy)", "pass",
    ),
    Variant(
        "ptes-swapped", "after a break the writer has the old frame and the other the copy",
        (
            Edit(
                "kernel.mm.forking.fork:fork",
                "    return child, cost",
                "    parent.twin, child.twin = child, parent\n    return child, cost",
            ),
            Edit(
                "kernel.mm.faults.cow_break:break_cow",
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

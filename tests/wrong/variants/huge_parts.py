"""Huge pages are split in part or not at all, moved or collapsed wrongly."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_collapse = partial(wrong, where="kernel.mm.collapse:_collapse")
_collapse_all = partial(wrong, where="kernel.mm.collapse:collapse_all")
_split = partial(wrong, where="kernel.mm.page_tables.huge_tables:HugeTables.split")
_edges = partial(wrong, where="kernel.mm.page_tables.huge_tables:HugeTables.split_edges")
_move = partial(wrong, where="kernel.mm.page_tables.huge_tables:HugeTables.move_huge")
_clear = partial(wrong, where="kernel.mm.page_tables.clear_range:clear_huge_pages")
_rights = partial(wrong, where="kernel.mm.page_tables.pte_ranges:_of_huge_page")
_room = partial(wrong, where="kernel.mm.page_tables.pte_ranges:make_room")

VARIANTS = [
    _split(
        "split-last-page", "a split forgets the last page",
        old="table[:] = self._expanded(key << LEAF_SHIFT, pte, 0, VA_HALF)[1]",
        new="table[:-1] = self._expanded(key << LEAF_SHIFT, pte, 0, VA_HALF)[1][:-1]",
    ),
    _split(
        "split-all-writable", "the pages of a huge page that is split may be stored to",
        old="pte, 0, VA_HALF)[1]", new="pte | 4, 0, VA_HALF)[1]",
    ),
    _split(
        "split-one-frame", "a split maps the first frame at each page",
        old="self._expanded(key << LEAF_SHIFT, pte, 0, VA_HALF)[1]", new="pte",
    ),
    _split(
        "split-takes-a-frame", "a split takes a new table, and the deposit remains",
        old="self._deposits.pop(key, None)", new="None",
    ),
    _split(
        "split-uses-it-twice", "the table for a split remains a deposit after the split",
        old="self._deposits.pop(key, None)", new="self._deposits.get(key)",
    ),
    _split(
        "split-keeps-zeroes", "a split of the huge zero page keeps the reference of it",
        old="frames.release_run(ppn(pte))", new="pass",
    ),
    _split(
        "split-zeroes-uncounted", "the zero frame lacks references after a split of the huge one",
        old="frames.share_each([frames.zero] * HUGE_FRAMES)", new="pass",
    ),
    _edges(
        "split-not-above", "a huge page that is only cut at its end is not split",
        old=" or end < va + HUGE_SIZE", new="",
    ),
    _edges(
        "split-not-below", "a huge page that is only cut at its start is not split",
        old="va < start or ", new="",
    ),
    _edges(
        "split-everything", "what is done to all of a huge page splits it",
        old="if va < start or end < va + HUGE_SIZE", new="if True",
    ),
    wrong(
        "split-in-the-tlb", "the TLB keeps the zeroes of a huge page that a mapping's end splits",
        "kernel.mm.address_space:AddressSpace.split_huge", "self.flush_tlb()", "pass",
    ),
    _clear(
        "huge-unmap-leaks", "the frames of a huge page that is unmapped are not released",
        old="frames.release_run(ppn(pte))", new="pass",
    ),
    _clear(
        "huge-unmap-zeroes", "zeroes that are unmapped are taken off the resident size",
        old="len(table.resident_huge(start, end))", new="len(huge)",
    ),
    _clear(
        "huge-unmap-in-the-tlb", "the TLB keeps a huge page that is unmapped",
        old="    after()\n", new="",
    ),
    wrong(
        "huge-unlink-leaks", "the table for a split is not released with its huge page",
        "kernel.mm.page_tables.huge_tables:HugeTables.unlink_huge",
        "self._release_deposit(key)", "pass",
    ),
    _rights(
        "huge-rights-kept", "mprotect does not change huge pages",
        old="return changed | (W if sole else COW)", new="return pte",
    ),
    _rights(
        "huge-rights-readonly", "mprotect leaves W to huge pages of a read-only mapping",
        old="pte & ~(R | W | X | U | COW)", new="pte & ~(R | X | U | COW)",
    ),
    _rights(
        "huge-rights-shared", "mprotect makes a shared huge page writable",
        old="frames.is_run_exclusive(ppn(pte))", new="True",
    ),
    wrong(
        "huge-rights-forked", "mprotect makes a huge page writable that no store made exclusive",
        "kernel.mm.physical.frame_runs:FrameRuns.is_run_exclusive",
        " and not (self.marks[self._run(ppn)] & FORKED).any()", "",
    ),
    wrong(
        "huge-reused-not-exclusive", "a huge page that its last user stores to is not its own",
        "kernel.mm.faults.huge_fault:store_to_huge", "space.frames.make_run_exclusive(run)", "pass",
    ),
    wrong(
        "huge-new-not-exclusive", "a new huge page is not its process's own",
        "kernel.mm.physical.frame_runs:FrameRuns._take_run",
        "self.marks[start:end] = OF_RUN", "self.marks[start:end] |= OF_RUN",
    ),
    _rights(
        "huge-rights-zero", "mprotect makes the huge zero page writable",
        old="sole = not zero and not", new="sole = zero or not",
    ),
    _room(
        "huge-move-unaligned", "mremap keeps a huge page whole at an address that is not aligned",
        old="not (to - start) % HUGE_SIZE and ", new="",
    ),
    _room(
        "huge-move-splits", "mremap splits each huge page",
        old="not (to - start) % HUGE_SIZE and ", new="False and ",
    ),
    _move(
        "huge-move-deposit", "mremap loses the table for the split of a huge page",
        old="self._deposits[to >> LEAF_SHIFT] = deposit", new="pass",
    ),
    _move(
        "huge-move-stays", "mremap leaves a huge page also where it was",
        old="self.unlink_huge(va)", new="pass",
    ),
    _collapse(
        "collapse-not-copied", "a collapse loses what the pages hold",
        old="frames.ram.copy_frame(ppn(pte), run + ((va - start) >> PAGE_SHIFT))", new="pass",
    ),
    _collapse(
        "collapse-first-pages", "a collapse puts the pages at the start of the huge page",
        old="for va, pte in pages:",
        new="for va, pte in [(start + 4096 * n, each[1]) for n, each in enumerate(pages)]:",
    ),
    _collapse(
        "collapse-last-page", "a collapse forgets the last page",
        old="for va, pte in pages:", new="for va, pte in pages[:-1]:",
    ),
    _collapse(
        "collapse-keeps", "a collapse does not release the pages",
        old="space.clear_pages(start, end)", new="[space.table.clear(va) for va, _ in pages]",
    ),
    _collapse(
        "collapse-uncounted", "the peak of resident memory lacks a collapsed huge page",
        old="space.resident_bound += HUGE_FRAMES", new="pass",
    ),
    _collapse(
        "collapse-of-nothing", "a collapse maps a huge page where nothing is mapped",
        old="if not pages:", new="if False:",
    ),
    _collapse_all(
        "collapse-against-advice", "a collapse ignores MADV_NOHUGEPAGE and PR_SET_THP_DISABLE",
        old="not suitable or not space.huge_pages.may_collapse(vma)", new="not suitable",
    ),
    _collapse_all(
        "collapse-again", "a collapse copies what is a huge page",
        old="if not space.table.is_huge(at):", new="if True:",
    ),
    wrong(
        "huge-zero-never-dropped", "the huge zero page is never given back",
        "kernel.mm.physical.huge_zero_page:drop_huge_zero",
        "run is None or not frames.is_run_unshared(run)", "True",
    ),
    wrong(
        "huge-zero-dropped", "the huge zero page is given back while it is mapped",
        "kernel.mm.physical.huge_zero_page:drop_huge_zero",
        " or not frames.is_run_unshared(run)", "",
    ),
    wrong(
        "clear-refs-huge-accessed", "clear_refs forgets the accesses to small pages only",
        "kernel.mm.usage.clear_refs:clear_refs", "space.table.set_huge(va, pte & ~A)", "pass",
    ),
    wrong(
        "clear-refs-huge-dirty", "clear_refs forgets the stores to small pages only",
        "kernel.mm.usage.clear_refs:_forget_stores",
        "space.table.set_huge(va, int(_cleaned(vma, np.array([pte], np.uint64))[0]))", "pass",
    ),
]  # fmt: skip

"""Huge pages are mapped where they must not be, counted wrongly, or shared wrongly."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_map = partial(wrong, where="kernel.mm.faults.huge_fault:map_huge")
_store = partial(wrong, where="kernel.mm.faults.huge_fault:store_to_huge")
_replace = partial(wrong, where="kernel.mm.faults.huge_fault:_replace_zeroes")
_copy = partial(wrong, where="kernel.mm.faults.huge_fault:_copy_huge")
_share = partial(wrong, where="kernel.mm.forking.huge_fork:share_huge_pages")
_eager = partial(wrong, where="kernel.mm.forking.huge_fork:copy_huge_pages")
_fit = partial(wrong, where="kernel.mm.mappings.huge_policy:HugePages.fit")
_contains = partial(wrong, where="kernel.mm.mappings.huge_policy:contains_huge")

VARIANTS = [
    _map(
        "huge-not-zeroed", "a huge page shows what its frames held before",
        old="frames.allocate_zeroed_run(Kind.PRIVATE)", new="frames.allocate_run(Kind.PRIVATE)",
    ),
    _map(
        "huge-over-pages", "a huge page replaces pages that are present",
        old=" or not table.may_be_huge(start)", new="",
    ),
    _map(
        "huge-zero-writable", "the huge zero page is mapped writable",
        old="read_only_flags(vma))", new="vma.pte_flags)",
    ),
    _map(
        "huge-zero-resident", "the huge zero page counts as resident memory at its fault",
        old="return Outcome.ZERO_SHARED", new="space.resident_bound += HUGE_FRAMES",
    ),
    _map(
        "huge-not-resident", "the peak of resident memory lacks a huge page",
        old="space.resident_bound += HUGE_FRAMES", new="pass",
    ),
    _map(
        "huge-deposit-leaks", "the table for a split is kept although there is no run",
        old="table.cancel_huge(start)", new="pass",
    ),
    _map(
        "huge-forgets-private", "a huge page does not make its mapping a private one",
        old="vma.has_private = True", new="pass",
    ),
    wrong(
        "huge-although-disabled", "PR_SET_THP_DISABLE is ignored by faults",
        "kernel.mm.mappings.huge_policy:HugePages.possible", "self.disabled or ", "",
    ),
    _fit(
        "huge-against-advice", "MADV_NOHUGEPAGE is ignored",
        old=" or vma.flags & VmFlag.NO_HUGE", new="",
    ),
    _fit(
        "huge-without-advice", "mode madvise maps huge pages everywhere",
        old="self.mode is Thp.MADVISE and", new="False and",
    ),
    _contains(
        "huge-beyond-the-mapping", "a huge page ends beyond its mapping",
        old=" and start + HUGE_SIZE <= vma.end", new="",
    ),
    _contains(
        "huge-below-the-mapping", "a huge page begins below its mapping",
        old="vma.start <= start and ", new="",
    ),
    _contains(
        "huge-not-aligned", "a huge page begins at the page that faulted",
        old="va & -HUGE_SIZE", new="va & -4096",
    ),
    wrong(
        "huge-run-not-aligned", "a run of frames begins at any frame",
        "kernel.mm.physical.frame_runs:FrameRuns._find_run",
        "start = offset - (offset - self._untouched) // HUGE_FRAMES * HUGE_FRAMES",
        "start = self._untouched",
    ),
    wrong(
        "huge-run-partly-used", "a run of frames may contain one that is in use",
        "kernel.mm.physical.frame_runs:FrameRuns._find_freed", "runs.all(axis=1)", "runs[:, 0]",
    ),
    wrong(
        "huge-run-stays-free", "frames of a run remain on the free list",
        "kernel.mm.physical.frame_runs:FrameRuns._take_run",
        "(free < start) | (free >= end)", "free >= 0",
    ),
    wrong(
        "huge-run-loses-frames", "frames below a run that were never used are forgotten",
        "kernel.mm.physical.frame_runs:FrameRuns._take_run", "concatenate([skipped, left])",
        "concatenate([left])",
    ),
    wrong(
        "huge-first-count", "a huge page is unshared if its first frame is",
        "kernel.mm.physical.frame_runs:FrameRuns.is_run_unshared",
        "self.counts[self._run(ppn)]", "self.counts[self._run(ppn)][:1]",
    ),
    wrong(
        "huge-share-first", "fork adds a reference of the first frame only",
        "kernel.mm.physical.frame_runs:FrameRuns.share_run",
        "self.counts[run] += 1", "self.counts[run][:1] += 1",
    ),
    wrong(
        "huge-release-frees-all", "frames of a huge page are free although others use them",
        "kernel.mm.physical.frame_runs:FrameRuns.release_run",
        "if len(freed) == HUGE_FRAMES:", "if len(freed):",
    ),
    wrong(
        "huge-part-reused", "a page of a huge page that others use in part is not copied",
        "kernel.mm.physical.frames:Frames.may_reuse",
        " or self.is_run_of_one_user(ppn)", " or True",
    ),
    wrong(
        "huge-part-copied", "a page of a huge page that has one user is copied",
        "kernel.mm.physical.frames:Frames.may_reuse", " or self.is_run_of_one_user(ppn)", "",
    ),
    wrong(
        "huge-last-part-reused", "the last page of a huge page is not copied",
        "kernel.mm.physical.frame_runs:FrameRuns.is_run_of_one_user",
        "int(np.count_nonzero(counts)) > 1", "True",
    ),
    wrong(
        "huge-forever", "a frame is part of a huge page after it was freed",
        "kernel.mm.physical.frames:Frames._take", "self._marks[index] = 0",
        "self._marks[index] &= 2",
    ),
    _store(
        "huge-reuse-shared", "a store to a shared huge page makes it writable",
        old="space.frames.is_run_unshared(run)", new="True",
    ),
    _store(
        "huge-never-reused", "the last user of a huge page copies a page of it",
        old="space.frames.is_run_unshared(run)", new="False",
    ),
    _store(
        "huge-reuse-not-dirty", "a huge page that is reused is not dirty",
        old="| W | A | D", new="| W | A",
    ),
    _store(
        "huge-always-copied", "2 MiB are copied although 4 KiB are asked for",
        old="space.huge_pages.copied is ThpCow.HUGE and ", new="",
    ),
    _store(
        "huge-never-copied", "4 KiB are copied although 2 MiB are asked for",
        old="space.huge_pages.copied is ThpCow.HUGE and", new="False and",
    ),
    _store(
        "huge-zero-reused", "a store changes the huge zero page",
        old="run == space.frames.huge_zero", new="False",
    ),
    _replace(
        "huge-zero-kept", "the reference of the huge zero page is not given back at a store",
        old="frames.release_run(zeroes)", new="pass",
    ),
    _replace(
        "huge-zero-in-the-tlb", "the TLB keeps the zeroes that a store replaced",
        old="space.flush_tlb()  # it may", new="pass  # it may",
    ),
    _replace(
        "huge-zero-split-in-the-tlb", "the TLB keeps the zeroes that were split for want of a run",
        old="space.table.split(start)\n        space.flush_tlb()", new="space.table.split(start)",
    ),
    _replace(
        "huge-zero-uncounted", "the peak of resident memory lacks a huge page that replaced zeroes",
        old="space.resident_bound += HUGE_FRAMES", new="pass",
    ),
    _copy(
        "huge-copy-in-part", "the last page of a huge copy is not copied",
        old="copy, HUGE_FRAMES)", new="copy, HUGE_FRAMES - 1)",
    ),
    _copy(
        "huge-copy-keeps", "the reference of the huge page that was copied is not given back",
        old="frames.release_run(shared)", new="pass",
    ),
    _copy(
        "huge-copy-in-the-tlb", "the TLB keeps the pages of a huge page that was copied",
        old="space.flush_tlb()", new="pass",
    ),
    _share(
        "huge-parent-writes", "fork leaves W to the parent's huge pages",
        old="parent.table.set_huge(va, shared)", new="pass",
    ),
    _share(
        "huge-child-writes", "fork gives the child W to a shared huge page",
        old="shared if parent.inherits_all else shared & ~A", new="pte",
    ),
    _share(
        "huge-not-marked", "fork shares huge pages without a CoW mark",
        old="pte & ~W | COW", new="pte & ~W",
    ),
    _share(
        "huge-fork-uncounted", "fork adds no references of a huge page",
        old="parent.frames.share_run(ppn(pte))", new="pass",
    ),
    _share(
        "huge-fork-counts-one", "fork counts a huge page as one page shared",
        old="cost.pages_shared += HUGE_FRAMES", new="cost.pages_shared += 1",
    ),
    _share(
        "huge-zero-saved", "fork counts the huge zero page as copies that it saved",
        old="if kind is Kind.PRIVATE:", new="if True:",
    ),
    _eager(
        "huge-eager-shares", "an eager fork shares huge pages",
        old="if frames.kind(ppn(pte)) is not Kind.PRIVATE:", new="if True:",
    ),
    _eager(
        "huge-eager-copies-zero", "an eager fork copies the huge zero page",
        old="if frames.kind(ppn(pte)) is not Kind.PRIVATE:", new="if False:",
    ),
    wrong(
        "huge-eager-last-page", "an eager fork without a run copies all pages but the last",
        "kernel.mm.forking.huge_fork:_copy_singly", "range(HUGE_FRAMES)", "range(HUGE_FRAMES - 1)",
    ),
]  # fmt: skip

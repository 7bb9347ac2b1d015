"""The address space forgets a flush, a page, a frame, or a rule about mappings."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_unmap = partial(wrong, where="kernel.mm.address_space:AddressSpace.unmap")
_protect = partial(wrong, where="kernel.mm.address_space:AddressSpace.protect")
_protectable = partial(wrong, where="kernel.mm.address_space:AddressSpace._protectable")
_protect_mapped = partial(wrong, where="kernel.mm.address_space:AddressSpace._protect_mapped")
_rights = partial(wrong, where="kernel.mm.page_tables.pte_ranges:_of_pages")
_each = partial(wrong, where="kernel.mm.page_tables.pte_ranges:_of_page")
_in_place = partial(wrong, where="kernel.mm.page_tables.pte_ranges:_writable_in_place")
_room = partial(wrong, where="kernel.mm.page_tables.pte_ranges:make_room")
_move = partial(wrong, where="kernel.mm.page_tables.pte_ranges:move")
_pieces = partial(wrong, where="kernel.mm.page_tables.pte_ranges:_pieces")
_leave = partial(wrong, where="kernel.mm.address_space:AddressSpace.leave")
_destroy = partial(wrong, where="kernel.mm.page_tables.page_table:PageTable.destroy")
_ZAP = "self.zap(start, end)"
_BYPASS = "__import__('tests.wrong.bypass').wrong.bypass."

VARIANTS = [
    _unmap(
        "no-flush-at-munmap", "the TLB keeps pages that were unmapped",
        old=_ZAP, new=f"with {_BYPASS}without_flush(self):\n        {_ZAP}",
    ),
    _unmap(
        "munmap-keeps-frames", "munmap does not release the frames",
        old=_ZAP, new=f"with {_BYPASS}without_release(self.frames):\n        {_ZAP}",
    ),
    _unmap(
        "munmap-keeps-ptes", "munmap releases the frames and leaves them mapped",
        old=_ZAP, new=f"with {_BYPASS}with_ptes_kept(self.table, start, end):\n        {_ZAP}",
    ),
    _protect_mapped(
        "no-flush-at-mprotect", "the TLB keeps rights that mprotect took away",
        old="self.flush_tlb()", new="pass",
    ),
    _protectable(
        "mprotect-over-holes", "mprotect succeeds where nothing is mapped",
        old="if vma.start > at:", new="if False:",
    ),
    _protectable(
        "mprotect-stops-in-silence", "mprotect stops at a hole and returns success",
        old="ENOMEM if at < end else None", new="None",
    ),
    _protectable(
        "mprotect-beyond-holes", "mprotect changes what lies above a hole before it fails",
        old="return at, ENOMEM if at < end else None",
        new="return (end, ENOMEM) if not self.covers(start, end) else (end, None)",
    ),
    _protect(
        "mprotect-all-or-nothing", "mprotect over a hole changes nothing below it",
        old="if start < reach:", new="if failure is None:",
    ),
    _protect_mapped(
        "mprotect-of-the-whole-mapping", "mprotect of a part changes all of the mapping",
        old="max(start, vma.start)", new="vma.start",
    ),
    _protectable(
        "mprotect-beyond-open", "mprotect lets a program write to a file it opened read-only",
        old="if prot & Prot.WRITE and not vma.may_write:", new="if False:",
    ),
    _rights(
        "mprotect-leaves-w", "mprotect to read-only leaves W in the PTEs",
        old="np.uint64(vma.pte_flags & (R | X | U))",
        new="np.uint64(vma.pte_flags & (R | X | U)) | ptes & W",
    ),
    _rights(
        "mprotect-leaves-u", "PROT_NONE leaves U in the PTEs",
        old="np.uint64(vma.pte_flags & (R | X | U))",
        new="np.uint64(vma.pte_flags & (R | X | U)) | ptes & U",
    ),
    _rights(
        "mprotect-without-mark", "mprotect to writable forgets the CoW mark",
        old="otherwise = 0 if vma.shared else COW", new="otherwise = 0",
    ),
    _in_place(
        "mprotect-w-while-shared", "mprotect to writable gives W to a frame that fork shared",
        old="exclusive & private", new="private",
    ),
    _in_place(
        "mprotect-w-to-zero-frame", "mprotect to writable gives W to the zero frame",
        old="exclusive & private", new="exclusive | ~private",
    ),
    _in_place(
        "mprotect-w-to-forked-pages", "mprotect gives W to pages that no store made exclusive",
        old=" & ((frames.marks[indices] & FORKED) == 0)", new="",
    ),
    wrong(
        "fork-marks-no-page", "fork does not note which pages it shares",
        "kernel.mm.physical.frame_runs:FrameRuns._mark_forked", "self.marks[indices] |= FORKED",
        "pass",
    ),
    wrong(
        "reused-page-not-exclusive", "a page that its last user stores to is not its own",
        "kernel.mm.faults.cow_break:break_cow", "frames.make_exclusive(frame)", "pass",
    ),
    wrong(
        "new-page-not-exclusive", "a new page in a frame that a fork shared is not its own",
        "kernel.mm.physical.frames:Frames._take", "self._marks[index] = 0", "pass",
    ),
    _each(
        "mprotect-leaves-w-in-a-page", "mprotect of a few pages to read-only leaves W",
        old="~(R | W | X | U | COW)", new="~(R | X | U | COW)",
    ),
    _each(
        "mprotect-leaves-u-in-a-page", "PROT_NONE leaves a few pages U",
        old="~(R | W | X | U | COW)", new="~(R | W | X | COW)",
    ),
    _each(
        "mprotect-without-mark-in-a-page", "mprotect of a few pages forgets the CoW mark",
        old="W if sole else COW", new="W if sole else 0",
    ),
    _each(
        "mprotect-w-to-a-shared-page", "mprotect of a few pages gives W while fork shares them",
        old="frames.is_exclusive(frame) and", new="",
    ),
    wrong(
        "mprotect-w-to-a-forked-page", "mprotect of a few pages gives W where no store did",
        "kernel.mm.physical.frames:Frames.is_exclusive",
        " and not self._marks[ppn - self.first] & FORKED", "",
    ),
    _each(
        "mprotect-w-to-zero-frame-page", "mprotect of a few pages gives W to the zero frame",
        old="frames.kind(frame) is Kind.PRIVATE and", new="frame == frames.zero or",
    ),
    wrong(
        "few-pages-not-cleared", "munmap of a few pages leaves their PTEs",
        "kernel.mm.page_tables.clear_range:_clear_few", "table.clear(va)", "pass",
    ),
    wrong(
        "few-pages-not-flushed", "munmap of a few pages leaves them in the TLB",
        "kernel.mm.page_tables.clear_range:_clear_few", "after()", "pass",
    ),
    wrong(
        "few-frames-kept", "munmap of a few pages keeps their frames",
        "kernel.mm.page_tables.clear_range:_clear_few",
        "frames.release_each(ppn(pte) for _, pte in pages)", "pass",
    ),
    _move(
        "mremap-loses-pages", "mremap moves the mapping without its pages",
        old="table.entries(at, len(ptes))[:] = ptes", new="pass",
    ),
    _move(
        "mremap-loses-few-pages", "mremap moves a small mapping without its pages",
        old="table.set_pte(va - start + to, pte)", new="pass",
    ),
    _move(
        "mremap-leaves-pages", "mremap leaves the pages at the old place too",
        old="ptes[:] = 0", new="pass",
    ),
    _move(
        "mremap-leaves-few-pages", "mremap leaves a few pages at the old place too",
        old="table.set_pte(va, 0)", new="pass",
    ),
    _room(
        "mremap-without-room", "mremap makes no tables before it moves pages to them",
        old="table.leaf(at)", new="pass",
    ),
    _room(
        "mremap-allocates-while-moving", "mremap finds no frame for a table with a few pages moved",
        old="table.leaf(va - start + to)", new="pass",
    ),
    _pieces(
        "mremap-beyond-a-table", "mremap writes what belongs to the next table behind one",
        old="-at % LEAF_SPAN >> PAGE_SHIFT", new="len(ptes)",
    ),
    _pieces(
        "mremap-to-the-tables-start", "what goes to a second table goes to the first one's place",
        old="at + (first << PAGE_SHIFT), piece", new="at, piece",
    ),
    wrong(
        "no-flush-at-mremap", "the TLB keeps pages at the place they were moved from",
        "kernel.mm.address_space:AddressSpace.move",
        old="self.add(vma)\n    self.flush_tlb()", new="self.add(vma)",
    ),
    wrong(
        "gap-not-free", "mmap takes a hint where something is mapped",
        "kernel.mm.mappings.vma_list:VmaList.find_gap",
        " and not self.overlapping(hint, hint + length)", "",
    ),
    wrong(
        "fixed-maps-over", "MAP_FIXED leaves what was mapped there",
        "kernel.syscalls.memory.mappings:mmap", "space.unmap(start, start + length)", "pass",
    ),
    wrong(
        "brk-keeps-pages", "a heap that shrinks keeps its pages",
        "kernel.syscalls.memory.mappings:brk", "space.unmap(new, old)", "pass",
    ),
    wrong(
        "dontneed-keeps-pages", "MADV_DONTNEED does nothing",
        "kernel.syscalls.memory.madvise:_discard", "space.zap(start, end)", "pass",
    ),
    wrong(
        "dontneed-by-halves", "MADV_DONTNEED discards a mapping before it has tables for the next",
        "kernel.syscalls.memory.madvise:_discard", "space.zap(start, end)",
        "for vma in space.overlapping(start, end):\n"
        "            space.zap(max(start, vma.start), min(end, vma.end))",
    ),
    wrong(
        "offset-lost-in-split", "the upper part of a mapping cut in two begins at the lower's byte",
        "kernel.mm.mappings.vma:Vma._offset_at", "self.offset + va - self.start", "self.offset",
    ),
    wrong(
        "offset-off-by-a-page", "a file mapping shows the page after the right one",
        "kernel.mm.mappings.vma:Vma.index_of", ">> PAGE_SHIFT", "+ 4096 >> PAGE_SHIFT",
    ),
    wrong(
        "unlike-files-joined", "neighbours of one file become one mapping whatever their offsets",
        "kernel.mm.mappings.vma:Vma.continues", "self.offset + self.length == other.offset", "True",
    ),
    wrong(
        "split-uncounted", "the second half of a mapping is not counted by its backing",
        "kernel.mm.mappings.vma_list:VmaList._insert", "add_users(vma.backing, 1)", "pass",
    ),
    _leave(
        "exit-keeps-memory", "a process that ends gives nothing back",
        old="self.table.destroy()", new="0",
    ),
    _leave(
        "exit-keeps-backings", "shared memory outlives its last process",
        old="drop_user(vma, self)", new="pass",
    ),
    wrong(
        "exit-keeps-frames", "only the tables are given back at the end",
        "kernel.mm.page_tables.page_table:PageTable._release_pages",
        "self._frames.release_all(mapped)", "pass",
    ),
    wrong(
        "exit-keeps-few-frames", "a small process gives only its tables back",
        "kernel.mm.page_tables.page_table:PageTable._release_pages",
        "return self._frames.release_pages(leaves)", "return 0",
    ),
    _destroy(
        "exit-keeps-leaf-tables", "the tables of the last level are never given back",
        old="self._frames.release(frame)\n    for frame in", new="pass\n    for frame in",
    ),
    wrong(
        "table-forgotten", "the kernel forgets a table of the middle level as soon as it is linked",
        "kernel.mm.page_tables.page_table:PageTable._next_table",
        "self._upper.append(frame)", "pass",
    ),
    _destroy(
        "exit-keeps-upper-tables", "the tables of the upper levels are never given back",
        old="reversed(self._upper):\n        self._frames.release(frame)",
        new="reversed(self._upper):\n        pass",
    ),
]  # fmt: skip

"""Fault-around maps what it must not, or does not count it; fork leaves out what it must copy."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_around = partial(wrong, where="kernel.mm.faults.fault_around:map_around")
_window = partial(wrong, where="kernel.mm.faults.fault_around:window")
_flags = partial(wrong, where="kernel.mm.faults.cow_break:read_only_flags")
_copied = partial(wrong, where="kernel.mm.forking.fork:_copied")

VARIANTS = [
    _around(
        "around-uncounted", "pages that were mapped around are not counted",
        old="space.frames.share_each(ppn(pte) for _, pte in mapped)", new="pass",
    ),
    _around(
        "around-one-too-far", "each page around is mapped at its neighbour's address",
        old="base = start -", new="base = 4096 + start -",
    ),
    _window(
        "around-below-the-mapping", "the window begins below the mapping",
        old="max(page & -size, vma.start)", new="page & -size",
    ),
    _window(
        "around-beyond-the-mapping", "the window ends beyond the mapping",
        old="min(start + size, vma.end, ", new="min(start + size, ",
    ),
    _window(
        "around-not-aligned", "the window begins at the page that faulted",
        old="max(page & -size, vma.start)", new="page",
    ),
    _flags(
        "around-private-writable", "a private page of a file gets W to the page cache's frame",
        old="flags = flags & ~W | COW", new="pass",
    ),
    _flags(
        "around-not-marked", "a private page of a file is read-only without a CoW mark",
        old="flags & ~W | COW", new="flags & ~W",
    ),
    wrong(
        "around-overwrites", "pages around that are present are mapped anew",
        "kernel.mm.page_tables.page_table:PageTable.fill", "if not words[index] & V:", "if True:",
    ),
    wrong(
        "around-by-a-store", "a store to a shared page maps the pages around",
        "kernel.mm.faults.fault:handle", "access is not Access.STORE and outcome", "outcome",
    ),
    wrong(
        "around-beyond-the-end", "pages beyond the end of a file are mapped around",
        "kernel.mm.backing.file_pages:FilePages.cached",
        "self._read_ahead(first, min(end, -(-self.inode.size // PAGE_SIZE)))",
        "self._pages.update((each, self._frames.allocate_zeroed(Kind.CACHE)) "
        "for each in range(first, end) if each not in self._pages)",
    ),
    _copied(
        "private-pages-left-out", "a child gets no PTEs of its parent's private pages",
        old="every or vma.has_private", new="every or vma.shared",
    ),
    wrong(
        "split-forgets-private", "the upper part of a mapping that is cut has no private pages",
        "kernel.mm.mappings.vma:Vma.part",
        "offset=self._offset_at(start))",
        "offset=self._offset_at(start), has_private=self.has_private and start == self.start)",
    ),
    wrong(
        "join-forgets-private", "a mapping that is merged with one below loses its private pages",
        "kernel.mm.mappings.vma_list:VmaList._join",
        "self.vmas[index].has_private |= upper.has_private", "pass",
    ),
    wrong(
        "child-forgets-private", "a grandchild does not get what a child inherited",
        "kernel.mm.mappings.vma:Vma.inherited",
        "copy.has_private = self.has_private and not self.wipe_on_fork", "copy.has_private = False",
    ),
    wrong(
        "copy-forgets-private", "the copy of a file's page does not make its mapping a private one",
        "kernel.mm.faults.cow_break:copy_privately", "vma.has_private = True", "pass",
    ),
    wrong(
        "zeroed-forgets-private", "a new page does not make its mapping a private one",
        "kernel.mm.faults.cow_break:map_zeroed", "vma.has_private = True", "pass",
    ),
]  # fmt: skip

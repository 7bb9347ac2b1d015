"""Shared leaf tables (the fork policy shared-tables) are changed, counted or dropped wrongly."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_fork = partial(wrong, where="kernel.mm.forking.fork:shared_tables")
_own = partial(wrong, where="kernel.mm.page_tables.page_table:PageTable.own")
_own_middle = partial(wrong, where="kernel.mm.page_tables.page_table:PageTable.own_middle")
_share_middle = partial(wrong, where="kernel.mm.page_tables.page_table:PageTable._share_middle")
_drop = partial(wrong, where="kernel.mm.page_tables.page_table:PageTable.droppable")
_zap = partial(wrong, where="kernel.mm.address_space:AddressSpace.zap")

VARIANTS = [
    _fork(
        "shared-table-keeps-w", "pages keep W when their table is shared",
        old="cost.ptes_written += _take_w_of_span(parent, span)", new="pass",
    ),
    _fork(
        "shared-memory-loses-w", "shared memory loses W when its table is shared",
        old="_is_inherited(vma) and not vma.shared", new="_is_inherited(vma)",
    ),
    _fork(
        "dontfork-in-a-shared-table", "MADV_DONTFORK's pages go along with their whole table",
        old="if not _is_inherited(vma)", new="if vma.wipe_on_fork",
    ),
    _fork(
        "wipeonfork-in-a-shared-table", "MADV_WIPEONFORK's pages go along with their whole table",
        old="if not _is_inherited(vma)", new="if vma.dont_fork",
    ),
    _fork(
        "tables-apart-are-empty", "a child lacks what lies in one table with MADV_DONTFORK's pages",
        old="_share_span(parent, child, span, keys, cost)", new="pass",
    ),
    wrong(
        "shared-table-uncounted", "fork does not count the child as a holder of the tables",
        "kernel.mm.page_tables.page_table:PageTable._share_leaves",
        "self._frames.share(self._words_to_frame(self._leaves[key]))", "pass",
    ),
    wrong(
        "sharing-unknown-to-the-child", "the child takes the tables that it shares for its own",
        "kernel.mm.page_tables.page_table:PageTable.share_with",
        "other._shared.update(self._shared)", "pass",
    ),
    wrong(
        "single-sharing-unknown", "the child takes tables that it shares singly for its own",
        "kernel.mm.page_tables.page_table:PageTable.share_with",
        "other._leaves[key], other._shared[key] = self._leaves[key], self._shared[key]",
        "other._leaves[key] = self._leaves[key]",
    ),
    wrong(
        "shared-tables-not-linked", "the child's middle tables do not lead to what it shares",
        "kernel.mm.page_tables.page_table:PageTable._share_leaves",
        "words[target + at] = words[source + at]", "pass",
    ),
    _own(
        "table-copy-uncounted", "the frames in a table are not counted when it is copied",
        old="self._count_users(leaf)", new="pass",
    ),
    _own(
        "table-copy-keeps-the-old", "a copied table still counts its former holder",
        old="self._frames.release(frame)", new="pass",
    ),
    _own(
        "table-copy-not-linked", "a table is copied, and the old one stays linked",
        old="self._link(key, leaf)", new="self._leaves[key] = leaf",
    ),
    _own(
        "table-copy-is-empty", "the copy of a table holds what its frame held before",
        old="self._frames.ram.copy_frame(frame, copy)", new="pass",
    ),
    _own(
        "table-taken-over", "a table that others hold is changed without a copy",
        old="self._frames.count(frame) > 1", new="False",
    ),
    _own(
        "table-never-reused", "a table's last holder copies it too",
        old="self._frames.count(frame) > 1", new="True",
    ),
    wrong(
        "store-in-a-shared-table", "a page's users are counted without those of its table",
        "kernel.mm.faults.fault:handle", "space.table.own(page)", "False",
    ),
    wrong(
        "leaf-of-a-shared-table", "a PTE is written to a table that is shared",
        "kernel.mm.page_tables.page_table:PageTable.leaf", "self.own(va)", "pass",
    ),
    wrong(
        "mprotect-in-a-shared-table", "mprotect changes the rights of all that share the table",
        "kernel.mm.address_space:AddressSpace._protect_mapped",
        "self.table.own_all(start, end)", "pass",
    ),
    wrong(
        "mremap-in-a-shared-table", "mremap finds no frame for a table when half has been moved",
        "kernel.mm.page_tables.pte_ranges:make_room", "table.own_all(start, end)", "pass",
    ),
    _zap(
        "munmap-in-a-shared-table", "munmap clears the pages of all that share the table",
        old="self.table.droppable(start, end)", new="[]",
    ),
    _zap(
        "no-flush-at-dropped-table", "the TLB keeps the pages of a table that was released",
        old="self.table.drop(droppable)\n        self.flush_tlb()",
        new="self.table.drop(droppable)",
    ),
    _drop(
        "dropped-with-what-is-below", "munmap releases a table that has pages below the range",
        old="table[:first].any() or", new="",
    ),
    _drop(
        "dropped-with-what-is-above", "munmap releases a table that has pages above the range",
        old="or table[last:].any()", new="",
    ),
    _drop(
        "last-holder-drops", "the last holder of a table releases it with its pages",
        old="or alone", new="",
    ),
    _drop(
        "dropped-before-copied", "a munmap that finds no frame has released tables already",
        old="unshared.append(key)",
        new="unshared.append(key)\n            self.drop([key])\n    return []",
    ),
    wrong(
        "dropped-table-kept", "a released shared table still counts its former holder",
        "kernel.mm.page_tables.page_table:PageTable.drop",
        old="self._frames.release(frame)", new="pass",
    ),
    wrong(
        "dropped-table-linked", "a table that was released stays linked",
        "kernel.mm.page_tables.leaf_tables:LeafTables._unlink",
        "self._ram.store64((middle << PAGE_SHIFT) + 8 * vpn(va, 1), 0)", "pass",
    ),
    wrong(
        "exit-empties-shared-tables", "exit gives up the pages of a table that others still hold",
        "kernel.mm.page_tables.page_table:PageTable.destroy",
        "if self._frames.count(table) == 1:", "if True:",
    ),
    wrong(
        "exit-leaves-shared-pages", "a table's last holder gives it back without its pages",
        "kernel.mm.page_tables.page_table:PageTable.destroy",
        "if self._frames.count(table) == 1:",
        "if self._frames.count(table) == 1 and key not in self._shared:",
    ),
    _own_middle(
        "middle-table-never-copied", "a middle table that others hold is changed without a copy",
        old="self._frames.count(middle) > 1", new="False",
    ),
    _own_middle(
        "middle-table-never-reused", "a middle table's last holder copies it too",
        old="self._frames.count(middle) > 1", new="True",
    ),
    _own_middle(
        "leaf-tables-uncounted", "a copied middle table has no references to its leaf tables",
        old="self._frames.share_each(self._leaf_frames(copy))", new="pass",
    ),
    _own_middle(
        "middle-copy-keeps-the-old", "a copied middle table still counts its former holder",
        old="self._frames.release(middle)", new="pass",
    ),
    _own_middle(
        "middle-copy-not-linked", "a middle table is copied, and the root leads to the old one",
        old="self._set_middle(number, copy)", new="pass",
    ),
    _own_middle(
        "middle-copy-unknown", "the index of tables has the middle table that was given up",
        old="self._upper[self._upper.index(middle)] = copy", new="pass",
    ),
    _own_middle(
        "middle-copy-is-empty", "the copy of a middle table holds what its frame held before",
        old="self._ram.copy_frame(middle, copy)", new="pass",
    ),
    _share_middle(
        "shared-middle-uncounted", "fork does not count the child as a holder of middle tables",
        old="self._frames.share(middle)", new="pass",
    ),
    _share_middle(
        "shared-middle-not-linked", "the child's root does not lead to what it shares",
        old="other._set_middle(number, middle)", new="pass",
    ),
    _share_middle(
        "shared-middle-unknown-to-the-child", "the child takes shared middle tables for its own",
        old="other.shared_middles.add(number)", new="pass",
    ),
    _share_middle(
        "shared-middle-unknown-to-the-parent", "the parent takes shared middle tables for its own",
        old="self.shared_middles.add(number)", new="pass",
    ),
    wrong(
        "middle-changed-in-place", "a new leaf table is linked for all that share the middle table",
        "kernel.mm.page_tables.page_table:PageTable._middle", "self.own_middle(va)", "pass",
    ),
    wrong(
        "leaf-owned-in-a-shared-middle", "a leaf table is changed that a middle table has for all",
        "kernel.mm.page_tables.page_table:PageTable.own", "self.own_middle(va)", "pass",
    ),
    _drop(
        "dropped-in-a-shared-middle", "munmap looks for other holders of a leaf table only",
        old="self.own_middle(key << LEAF_SHIFT)", new="pass",
    ),
    wrong(
        "exit-empties-shared-middles", "exit gives up tables below one that others hold",
        "kernel.mm.page_tables.page_table:PageTable.destroy",
        "if self._middle_users(key >> VPN_BITS) > 1:", "if False:",
    ),
    wrong(
        "exit-keeps-middle-tables", "exit still counts as a holder of middle tables",
        "kernel.mm.page_tables.page_table:PageTable.destroy",
        "reversed(self._upper)", "self._upper[:1]",
    ),
    wrong(
        "huge-pages-in-a-shared-middle", "a middle table with huge pages is shared as a whole",
        "kernel.mm.page_tables.page_table:PageTable.share_with", "(*apart, *self.huge)", "apart",
    ),
    wrong(
        "apart-in-a-shared-middle", "MADV_DONTFORK's pages go along with their middle table",
        "kernel.mm.page_tables.page_table:PageTable.share_with",
        "(*apart, *self.huge)", "self.huge",
    ),
    wrong(
        "middle-copies-uncounted", "a fault does not say that it copied a middle table",
        "kernel.mm.faults.fault:handle",
        "middle_copied = space.table.own_middle(page)", "space.table.own_middle(page)",
    ),
    wrong(
        "shared-middles-uncounted", "a fork does not say that it shared middle tables",
        "kernel.mm.forking.fork:shared_tables", "cost.middles_shared += sharing.middles", "pass",
    ),
]  # fmt: skip

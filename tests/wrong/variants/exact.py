"""Omissions and changes that ordinary programs do not notice."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_present = partial(wrong, where="kernel.mm.faults.fault:_present")
_break = partial(wrong, where="kernel.mm.faults.cow_break:break_cow")
_grow = partial(wrong, where="kernel.mm.faults.fault:_grow_stack")
_fork = partial(wrong, where="kernel.mm.forking.fork:fork")
_keys = partial(wrong, where="kernel.mm.page_tables.leaf_tables:keys_within")
_gap = partial(wrong, where="kernel.mm.mappings.vma_list:VmaList.find_gap")
_TABLES = "sorted(key for key in index if first <= key <= last)"
_LIMITS = "child.mmap_top, child.stack_limit = parent.mmap_top, parent.stack_limit"

VARIANTS = [
    wrong(
        "svade-in-u-mode-only", "Svade looks at A and D in U-mode only",
        "emu.machine.sv39:Mmu.translate", "if self.svade:", "if self.svade and not self.privilege:",
    ),
    wrong(
        "canonical-by-one", "the first address that is not canonical is taken for one that is",
        "emu.machine.pte:is_canonical", "< 2 * VA_HALF", "<= 2 * VA_HALF",
    ),
    wrong(
        "root-of-fewer-bits", "the root's PPN has 28 bits",
        "emu.machine.sv39:Mmu.satp.fset", "value & PPN_MASK", "value & 0xFFF_FFFF",
    ),
    wrong(
        "bare-is-clean", "without translation nothing is dirty",
        "emu.machine.sv39:Mmu._bare", "U | A | D", "U | A",
    ),
    wrong(
        "wide-asid", "an ASID of more than 16 bits reaches satp's mode",
        "emu.machine.pte:make_satp", "(asid & ASID_MASK)", "asid",
    ),
    wrong(
        "walk-goes-on-at-w", "a displayed walk continues at W without R",
        "emu.machine.sv39:Mmu.walk", "R | W | X | A", "R | X | A",
    ),
    wrong(
        "walk-goes-on-at-reserved", "a displayed walk continues at a reserved bit",
        "emu.machine.sv39:Mmu.walk", "U | RESERVED", "U",
    ),
    wrong(
        "frame-before-table", "a page's frame is taken before there is a table for it",
        "kernel.mm.faults.cow_break:map_zeroed", "space.table.leaf(page)", "pass",
    ),
    wrong(
        "cache-before-table", "a file's frame is looked up before there is a table for it",
        "kernel.mm.faults.fault:_from_backing", "space.table.leaf(page)", "pass",
    ),
    wrong(
        "shared-store-clean", "the first store to a page of shared memory leaves D clear",
        "kernel.mm.faults.fault:_from_backing", "make_pte(frame, vma.pte_flags | D)",
        "make_pte(frame, vma.pte_flags)",
    ),
    _present("spurious-without-a", "a load of a page that is there leaves A clear",
             old="A | dirty", new="dirty"),
    _present("spurious-without-d", "a store to a page that has W leaves D clear",
             old="A | dirty", new="A"),
    _present("shared-without-a", "a store to a shared page that is there leaves A clear",
             old="| W | A | D", new="| W | D"),
    _present("shared-without-d", "a store to a shared page that is there leaves D clear",
             old="| W | A | D", new="| W | A"),
    _break("reused-without-a", "a page that is taken over has A clear",
           old="| W | A | D", new="| W | D"),
    _break("reused-without-d", "a page that is taken over has D clear",
           old="| W | A | D", new="| W | A"),
    wrong(
        "grown-by-a-load", "a load that grows the stack maps the zero frame",
        "kernel.mm.faults.fault:_resolve", "access is not Access.STORE and not grown",
        "access is not Access.STORE",
    ),
    wrong(
        "grown-unreported", "a stack that grew is reported as zero-filled memory",
        "kernel.mm.faults.fault:_resolve", "Outcome.STACK_GROWN if grown else ", "",
    ),
    _grow("grown-too-low", "the stack grows below the lowest address",
          old=" or page < LOWEST", new=""),
    _grow("guard-gap-by-one", "the stack's distance to what is below is a page too short",
          old="page - STACK_GUARD", new="page - STACK_GUARD + 4096"),
    _keys("last-table-left-out", "the last table of a long range with few tables is left out",
          old="first <= key <= last", new="first <= key < last"),
    _keys("tables-unsorted", "the tables of a long range are in order of creation",
          old=_TABLES, new=_TABLES.replace("sorted(", "list(")),
    wrong(
        "upper-tables-shared-lower", "the tables of the upper half of a gigabyte are linked lower",
        "kernel.mm.page_tables.shared_leaf_tables:SharedTables._share_leaves",
        "PTES_PER_TABLE - 1", "PTES_PER_TABLE // 2 - 1",
    ),
    wrong(
        "pages-not-recounted", "a shared table has as many pages after its file was cut",
        "kernel.mm.page_tables.shared_leaf_tables:SharedTables.recount_shared",
        "shared.pages, shared.private = now.pages, now.private", "shared.private = now.private",
    ),
    wrong(
        "private-not-recounted", "a shared table has as many private pages after its file was cut",
        "kernel.mm.page_tables.shared_leaf_tables:SharedTables.recount_shared",
        "shared.pages, shared.private = now.pages, now.private", "shared.pages = now.pages",
    ),
    wrong(
        "lost-w-uncounted", "a fork does not count the parent's PTEs that lose W",
        "kernel.mm.forking.fork:_share_pages", "cost.ptes_written += lost", "pass",
    ),
    wrong(
        "lost-w-uncounted-in-tables", "a fork that shares tables counts no PTEs that lose W",
        "kernel.mm.forking.fork:shared_tables",
        "cost.ptes_written += _take_w_of_span(parent, span)", "_take_w_of_span(parent, span)",
    ),
    wrong(
        "copies-written-uncounted", "an eager fork does not count the PTEs that it writes",
        "kernel.mm.forking.fork:_copy_pages", "cost.ptes_written += len(mapped)", "pass",
    ),
    wrong(
        "shared-beside-copies-uncounted", "an eager fork does not count what it shares",
        "kernel.mm.forking.fork:_copy_pages",
        "cost.pages_shared += int(np.count_nonzero(~private))", "pass",
    ),
    wrong(
        "table-pointers-uncounted", "a pointer to a shared table is not counted as written",
        "kernel.mm.forking.fork:shared_tables",
        "cost.ptes_written += sharing.pointers", "pass",
    ),
    _fork("child-unobserved", "a child's space has no observer",
          old="child.observer, child.pager = parent.observer, parent.pager",
          new="child.pager = parent.pager"),
    _fork("child-without-pager", "a child's faults are handled by the kernel's own code",
          old="child.observer, child.pager = parent.observer, parent.pager",
          new="child.observer = parent.observer"),
    _fork("child-unregistered", "a child is not registered for membarrier",
          old="child.asks_for_barriers = parent.asks_for_barriers", new="pass"),
    wrong(
        "child-locked", "a child's memory is locked as its parent's",
        "kernel.mm.mappings.vma:Vma.inherited", "copy.locked = copy.lock_on_fault = False", "pass",
    ),
    wrong(
        "lock-joined", "a locked mapping is joined with its neighbour",
        "kernel.mm.mappings.vma:Vma.continues", "and self.locked == other.locked", "",
    ),
    wrong(
        "given-back-twice", "memory that the host has is counted again when it gets more",
        "kernel.mm.physical.frames:Frames._trim", "self._given_to_host = len(free)",
        "self._given_to_host += len(free)",
    ),
    wrong(
        "given-back-for-ever", "memory that is used again counts as the host's",
        "kernel.mm.physical.frames:Frames._take",
        "self._given_to_host = min(self._given_to_host, len(self._free))", "pass",
    ),
    wrong(
        "not-given-back", "frames that are released one by one never go back to the host",
        "kernel.mm.physical.frames:Frames.release_each", "self._trim()", "pass",
    ),
    wrong(
        "given-back-short", "the host gets all but the last frame of a run",
        "kernel.mm.physical.frames:Frames._trim", "end + 1 - first)", "end - first)",
    ),
    wrong(
        "allocations-from-the-start", "allocations are counted from the machine's start",
        "kernel.mm.physical.frames:Frames.start_counting",
        "self.allocations, self._fail_at = 0, fail_at", "self._fail_at = fail_at",
    ),
    wrong(
        "covered-by-a-part", "a range is covered when its first page is",
        "kernel.mm.mappings.vma_list:VmaList.covers", "at >= end", "at > start",
    ),
    wrong(
        "gap-at-a-stack", "a new mapping may touch a stack",
        "kernel.mm.mappings.vma:Vma.gap_end", "(STACK_GUARD if self.grows_down else 0)", "0",
    ),
    wrong(
        "gap-too-low", "a new mapping may lie below the lowest address",
        "kernel.mm.mappings.vma_list:VmaList._update_gap",
        "self.vmas[index - 1].end if index else LOWEST",
        "self.vmas[index - 1].end if index else 4096",
    ),
    wrong(
        "gap-beyond-the-top", "a new mapping may lie above the place for mappings",
        "kernel.mm.mappings.free_ranges:FreeRanges.highest",
        "min(block.starts[at] + block.sizes[at], top)", "block.starts[at] + block.sizes[at]",
    ),
    wrong(
        "gap-too-short", "a new mapping may overlap what lies below the highest gap",
        "kernel.mm.mappings.free_ranges:FreeRanges.highest",
        "if end - block.starts[at] >= size:", "if end > block.starts[at]:",
    ),
    wrong(
        "data-uncounted", "mprotect to writable does not count against RLIMIT_DATA",
        "kernel.mm.mappings.vma_list:VmaList._change", "self._count(part, 1)", "pass",
    ),
    wrong(
        "hole-at-the-limit", "munmap makes a hole where the limit allows no further mapping",
        "kernel.mm.address_space:AddressSpace.unmap",
        "limited = vma is not None and vma.start < start and end < vma.end", "limited = False",
    ),
    _gap("hint-too-low", "a hint may lie below the lowest address",
         old="if LOWEST <= hint", new="if 0 < hint"),
    wrong(
        "extended-not-joined", "an extended mapping is not joined with the next",
        "kernel.mm.address_space:AddressSpace.set_end", "self._join(vma.start, end)", "pass",
    ),
    wrong(
        "cut-below-the-mapping", "a file that is cut takes what is mapped before it",
        "kernel.mm.address_space:AddressSpace.unmap_file",
        "max(vma.start, at_page_0 + (first << PAGE_SHIFT))",
        "at_page_0 + (first << PAGE_SHIFT)",
    ),
    wrong(
        "moved-counted-twice", "a mapping that was moved counts twice for its backing",
        "kernel.mm.address_space:AddressSpace.move", "add_users(vma.backing, -1)", "pass",
    ),
    wrong(
        "joined-counted-twice", "mappings that were joined count twice for their backing",
        "kernel.mm.mappings.vma_list:VmaList._join", "add_users(upper.backing, -1)", "pass",
    ),
    wrong(
        "joined-mappings-kept", "mappings that were joined count twice for the machine",
        "kernel.mm.mappings.vma_list:VmaList._join",
        "self.frames.budget.give_back(Kind.MAPPING, upper.cost)", "pass",
    ),
    wrong(
        "pages-of-mappings", "a mapping counts as one page of address space",
        "kernel.mm.mappings.vma_list:VmaList.virtual_pages",
        "self.mapped_bytes // PAGE_SIZE", "len(self.vmas)",
    ),
    wrong(
        "kernel-faults-unreported", "the kernel does not report the faults of its own accesses",
        "kernel.mm.faults.user_memory:UserMemory._reach",
        "self.on_fault(self.space, resolution)", "pass",
    ),
    wrong(
        "long-string-cut", "a string without an end is taken as it is",
        "kernel.mm.faults.user_memory:UserMemory.read_cstr", "raise Errno(ENAMETOOLONG)",
        'return b"".join(parts)',
    ),
    wrong(
        "clean-shared-page-has-w", "mprotect gives W to a shared page that was not stored to",
        "kernel.mm.page_tables.pte_ranges:_of_page",
        "changed | W if pte & D or not _needs_notice(vma) else changed", "changed | W",
    ),
    wrong(
        "clean-shared-pages-have-w", "the same with NumPy",
        "kernel.mm.page_tables.pte_ranges:_writable_in_place",
        "((ptes & D) != 0) | ", "((ptes & V) != 0) | ",
    ),
]  # fmt: skip

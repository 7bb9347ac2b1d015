"""The fault handler breaks the sharing wrongly, or allows an access that it should refuse."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_break = partial(wrong, where="kernel.mm.faults.cow_break:break_cow")
_resolve = partial(wrong, where="kernel.mm.faults.fault:_resolve")
_reach = partial(wrong, where="kernel.mm.faults.user_memory:UserMemory._reach")
_REFUSES = "allowed & needed != needed"
_COPY = "copy = copy_privately(space, vma, frame)"
_COPIED = "space.table.set_pte(page, make_pte(copy, vma.pte_flags | D))"

VARIANTS = [
    _break(
        "no-copy", "a store to a shared page gets W to the frame that is shared",
        old=_COPY, new="copy = frame\n        frames.share(copy)",
    ),
    _break(
        "old-frame-stays", "the copy is made, and the old frame stays mapped",
        old=_COPIED, new=_COPIED.replace("copy", "frame"),
    ),
    _break(
        "copy-not-mapped", "the copy is made, and the PTE stays as it was",
        old=_COPIED, new="pass",
    ),
    _break(
        "break-releases-nothing", "the old frame's count stays after the copy",
        old="    frames.release(frame)", new="    pass",
    ),
    _break(
        "break-releases-twice", "the old frame loses two users by a copy",
        old="    frames.release(frame)", new="    frames.release(frame)\n    frames.release(frame)",
    ),
    _break(
        "reuse-while-shared", "a frame with two users is taken over without a copy",
        old="frames.may_reuse(frame)", new="frames.count(frame) <= 2",
    ),
    _break(
        "never-reused", "a frame's last user copies it too",
        old="frames.may_reuse(frame)", new="False",
    ),
    _break(
        "reuse-keeps-mark", "a frame that is taken over stays marked CoW",
        old="pte & ~(COW | CLEAN)", new="pte & ~CLEAN",
    ),
    _break(
        "copy-is-executable", "the copy of a page of data may be executed",
        old=_COPIED, new=_COPIED.replace("| D", "| D | X"),
    ),
    _break(
        "copy-is-read-only", "the copy gets no W",
        old=_COPIED, new=_COPIED.replace("vma.pte_flags | D", "vma.pte_flags & ~W | COW"),
    ),
    _break(
        "zero-frame-writable", "a store to the zero frame gets W to it",
        old="map_zeroed(space, vma, page)",
        new="space.table.set_pte(page, pte & ~COW | W | A | D)\n        frames.share(frame)",
    ),
    _break(
        "break-of-code-without-flush", "code that was copied is fetched from the old frame",
        old="space.flush_tlb()", new="pass",
    ),
    _break(
        "file-page-taken-over", "the page cache's frame becomes the writer's own",
        old="elif kind is Kind.PRIVATE and frames.may_reuse(frame):",
        new="elif kind is Kind.CACHE or frames.count(frame) == 1:",
    ),
    wrong(
        "copy-of-another-frame", "the copy is of the frame beside the right one",
        "kernel.mm.faults.cow_break:copy_privately",
        "copy_frame(frame, copy)", "copy_frame(frame - 1, copy)",
    ),
    wrong(
        "count-lost-in-failing-copy", "a copy that finds no frame has given up the old one",
        "kernel.mm.faults.cow_break:break_cow",
        _COPY,
        f"frames.release(frame)\n        {_COPY}\n        frames.share(frame)",
    ),
    wrong(
        "private-store-to-file", "a first store to a private file mapping stores to the file",
        "kernel.mm.faults.fault:_from_backing",
        _COPY, "copy = frame\n        space.frames.share(frame)",
    ),
    wrong(
        "file-store-unseen", "a shared file page has W before anybody stored to it",
        "kernel.mm.faults.fault_around:read_flags", "if backing.needs_write_notice", "if False",
    ),
    wrong(
        "file-store-not-reported", "the file is not informed of a store to its page",
        "kernel.mm.faults.fault:_present", "vma.backing.stored_to(vma.index_of(page))", "pass",
    ),
    wrong(
        "read-zero-writable", "reading untouched memory gives W to the zero frame",
        "kernel.mm.faults.fault:_share_zero", "read_only_flags(vma)", "vma.pte_flags",
    ),
    wrong(
        "read-zero-uncounted", "a PTE of the zero frame is not counted",
        "kernel.mm.faults.fault:_share_zero", "space.frames.share(zero)", "pass",
    ),
    wrong(
        "new-page-not-zeroed", "a new page holds what its frame held before",
        "kernel.mm.faults.cow_break:map_zeroed", "allocate_zeroed", "allocate",
    ),
    _resolve(
        "read-only-made-writable", "a store to a read-only page that is present breaks CoW",
        old=_REFUSES, new=f"not pte & 1 and {_REFUSES}",
    ),
    _resolve(
        "data-executed", "a fetch does not need PROT_EXEC",
        old=_REFUSES, new=f"access is not Access.FETCH and {_REFUSES}",
    ),
    wrong(
        "stack-without-limit", "the stack grows beyond RLIMIT_STACK",
        "kernel.mm.faults.fault:_grow_stack", "or vma.end - page > space.stack_limit", "",
    ),
    wrong(
        "guard-gap-ignored", "the stack grows up to the mapping below it",
        "kernel.mm.faults.fault:_grow_stack",
        "if any(other.prot and not other.grows_down for other in below):", "if False:",
    ),
    wrong(
        "guard-gap-in-a-stack", "a hole in a stack is not filled, for the part of it below",
        "kernel.mm.faults.fault:_grow_stack", " and not other.grows_down", "",
    ),
    wrong(
        "cut-stack-stays-cut", "only the lowest part of a stack that was cut in two grows",
        "kernel.mm.mappings.vma:Vma.part",
        "return replace(self, start=start, end=end, offset=self._offset_at(start))",
        "upper = replace(self, start=start, end=end, offset=self._offset_at(start))\n"
        "    upper.grows_down = self.grows_down and start == self.start\n"
        "    return upper",
    ),
    _reach(
        "kernel-ignores-cow", "the kernel writes to whatever frame is mapped",
        old="if not allows(pte, access):", new="if not allows(pte, Access.LOAD):",
    ),
    _reach(
        "kernel-writes-zero-frame", "the kernel writes to the zero frame where it is mapped",
        old="if not allows(pte, access):",
        new="if not allows(pte, access) and (not pte & V or ppn(pte) != self.space.frames.zero):",
    ),
    _reach(
        "kernel-ignores-u", "the kernel reads for a program what that may not read",
        old="if not allows(pte, access):", new="if not pte & V or access is Access.STORE:",
    ),
    _reach(
        "kernel-write-without-flush", "the TLB has the old frame after the kernel's copy",
        old="self.space.flush_tlb()", new="pass",
    ),
    _reach(
        "kernel-write-not-dirty", "the kernel's write does not set D",
        old="wanted = A | D if access is Access.STORE else A", new="wanted = A",
    ),
    wrong(
        "kernel-resolves-first-page", "the kernel breaks the sharing of a write's first page only",
        "kernel.mm.faults.user_memory:UserMemory.write",
        "self._reach(at, Access.STORE)", "self._reach(at, Access.LOAD if done else Access.STORE)",
    ),
]  # fmt: skip

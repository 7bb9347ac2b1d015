"""Mutants of the lab ``superpages``."""

from __future__ import annotations

from emu.lab.graded.mutant import Mutant

_COUNT = "count-is-the-number-of-holders"
_ZEROED = """\
    for frame in range(first, first + PTES_PER_TABLE):
        memory.zero_frame(frame)
"""
_SPLIT_PTE = "        pte = make_pte(ppn(superpage) + index, superpage & FLAGS)\n"
_TAKEN_OVER = """\
        if is_sole_owner(frames, ppn(pte)):
            memory.store(entry, pte & ~COW | W | A | D)
            return Outcome.REUSED
        split(memory, frames, root, address)
"""
_COPY = """\
    copy = frames.allocate()
    memory.copy_frame(frame, copy)
"""
_OWNER = (
    "    return all(frames.count(frame) == 1 for frame in range(first, first + PTES_PER_TABLE))\n"
)

MUTANTS = [
    Mutant("nothing-zeroed", "the 512 frames keep their old bytes", _ZEROED, "", ("isolation",)),
    Mutant(
        "one-frame-zeroed",
        "only the first of the 512 frames is zeroed",
        _ZEROED,
        "    memory.zero_frame(first)\n",
        ("isolation",),
        points_range=(85, 97),
    ),
    Mutant(
        "not-aligned",
        "the superpage maps frames from the second on",
        "    memory.store(entry, make_pte(first, flags))\n",
        "    memory.store(entry, make_pte(first + 1, flags))\n",
        ("not-allowed",),
        points_range=(65, 85),
    ),
    Mutant(
        "a-small-page-only",
        "one page is mapped, and 511 frames are lost",
        "    memory.store(entry, make_pte(first, flags))\n",
        """\
    table = frames.allocate_table()
    memory.store((table << PAGE_SHIFT) + PTE_SIZE * vpn(address, 0), make_pte(first, flags))
    memory.store(entry, make_pte(table, V))
""",
        ("wrong-result",),
    ),
    Mutant(
        "flags-forgotten",
        "the superpage is not executable, whatever its mapping's flags",
        "    memory.store(entry, make_pte(first, flags))\n",
        "    memory.store(entry, make_pte(first, flags & ~8))\n",
        ("rights-are-the-mappings",),
    ),
    Mutant(
        "frames-lost-without-table",
        "the 512 frames are allocated first, and lost when there is no frame for the middle table",
        "    entry = middle_entry(memory, root, address)\n    if entry is None:\n",
        """\
    entry = middle_entry(memory, root, address)
    if entry is None:
        early = frames.allocate_superpage()
        frames.allocate_table()
        for frame in range(early, early + PTES_PER_TABLE):
            frames.release(frame)
    if entry is None:
""",
        (_COUNT,),
    ),
    Mutant(
        "one-frame-for-all",
        "after a split all 512 pages map the first frame",
        _SPLIT_PTE,
        "        pte = superpage\n",
        ("wrong-result", "isolation", _COUNT),
    ),
    Mutant(
        "split-loses-cow",
        "after a split the pages are not COW, so that stores to them kill the process",
        _SPLIT_PTE,
        "        pte = make_pte(ppn(superpage) + index, superpage & FLAGS & ~COW)\n",
        ("pages-and-mappings-agree", "wrong-result"),
    ),
    Mutant(
        "split-makes-writable",
        "after a split all pages have W, though others use their frames",
        _SPLIT_PTE,
        "        pte = make_pte(ppn(superpage) + index, superpage & FLAGS & ~COW | W)\n",
        ("shared-is-not-writable",),
    ),
    Mutant(
        "split-fixed-flags",
        "after a split the pages have the flags of plain data",
        _SPLIT_PTE,
        "        pte = make_pte(ppn(superpage) + index, superpage & FLAGS & ~8)\n",
        ("wrong-result",),
    ),
    Mutant(
        "pointer-keeps-flags",
        "the pointer to the new table has the superpage's flags, so that it is a leaf",
        "    memory.store(entry, make_pte(table, V))\n",
        "    memory.store(entry, make_pte(table, superpage & FLAGS))\n",
        ("not-allowed",),
    ),
    Mutant(
        "split-counts-pages",
        "a split increments the count of each frame",
        _SPLIT_PTE,
        _SPLIT_PTE + "        frames.share(ppn(pte))\n",
        (_COUNT,),
    ),
    Mutant(
        "last-page-forgotten",
        "a split makes 511 pages",
        "    for index in range(PTES_PER_TABLE):\n",
        "    for index in range(PTES_PER_TABLE - 1):\n",
        ("wrong-result", _COUNT, "isolation"),
    ),
    Mutant(
        "all-copied",
        "a store copies all 512 pages of a superpage",
        "        split(memory, frames, root, address)\n",
        """\
        split(memory, frames, root, address)
        for page in range(address & -(PTES_PER_TABLE << PAGE_SHIFT), address, 1 << PAGE_SHIFT):
            small_store_fault(memory, frames, root, page)
""",
        ("exact-copies", "nothing-is-lost", "running-out", "isolation"),
    ),
    Mutant(
        "whole-copied",
        "a store copies the whole superpage",
        _TAKEN_OVER,
        """\
        copy = frames.allocate_superpage()
        for number in range(PTES_PER_TABLE):
            memory.copy_frame(ppn(pte) + number, copy + number)
            frames.release(ppn(pte) + number)
        memory.store(entry, make_pte(copy, pte & FLAGS & ~COW | W | A | D))
        return Outcome.COPIED
""",
        ("nothing-is-lost", "running-out", "exact-copies"),
    ),
    Mutant(
        "always-split",
        "a superpage without other users is split",
        _TAKEN_OVER,
        "        split(memory, frames, root, address)\n",
        ("nothing-is-lost",),
    ),
    Mutant(
        "first-frame-checked-only",
        "a superpage is reused when its first frame has no other user",
        _OWNER,
        "    return frames.count(first) == 1\n",
        ("shared-is-not-writable",),
    ),
    Mutant(
        "last-frame-not-checked",
        "a superpage is reused when 511 of its frames have no other user",
        _OWNER,
        "    return all(frames.count(frame) == 1 for frame in range(first, first + 511))\n",
        ("shared-is-not-writable",),
    ),
    Mutant(
        "never-reused",
        "a page of 4 KiB without other users is copied",
        "    if frames.count(frame) == 1:\n",
        "    if False:\n",
        ("sole-owner-reuse", "exact-copies"),
    ),
    Mutant(
        "first-page-copied",
        "the first page of the superpage is copied, not the one stored to",
        "    memory.copy_frame(frame, copy)\n",
        "    memory.copy_frame(frame & -PTES_PER_TABLE, copy)\n",
        ("isolation",),
    ),
    Mutant(
        "old-frame-kept",
        "the copied frame is not released",
        "    frames.release(frame)\n    return Outcome.COPIED\n",
        "    return Outcome.COPIED\n",
        (_COUNT,),
        points_range=(50, 90),
    ),
    Mutant(
        "read-only-store-allowed",
        "a store to a read-only page is allowed",
        "    if not pte & COW:\n        return Outcome.NOT_ALLOWED\n",
        "",
        ("read-only-is-kept", "rights-are-the-mappings"),
    ),
    Mutant(
        "count-of-a-byte",
        "the last user of a page of 4 KiB is recognised by the low byte of its count",
        "    if frames.count(frame) == 1:\n",
        "    if frames.count(frame) & 0xFF == 1:\n",
        ("257-sharers",),
    ),
]

"""Wrong solutions of the lab ``superpages``."""

from __future__ import annotations

from emu.lab.graded.mutant import WrongSolution

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

WRONG = [
    WrongSolution(
        "nothing-zeroed", "the 512 frames keep their old bytes", _ZEROED, "", ("isolation",)
    ),
    WrongSolution(
        "one-frame-zeroed",
        "only the first of the 512 frames is zeroed",
        _ZEROED,
        "    memory.zero_frame(first)\n",
        ("isolation",),
        left=(85, 97),
    ),
    WrongSolution(
        "not-aligned",
        "the superpage begins one frame too late",
        "    memory.store(entry, make_pte(first, flags))\n",
        "    memory.store(entry, make_pte(first + 1, flags))\n",
        ("not-allowed",),
        left=(65, 85),
    ),
    WrongSolution(
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
    WrongSolution(
        "flags-forgotten",
        "the superpage can't be executed, whatever its mapping says",
        "    memory.store(entry, make_pte(first, flags))\n",
        "    memory.store(entry, make_pte(first, flags & ~8))\n",
        ("rights-are-the-mappings",),
    ),
    WrongSolution(
        "frames-lost-without-table",
        "the 512 frames are taken first, and lost when there is none for the middle table",
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
    WrongSolution(
        "one-frame-for-all",
        "after a split all 512 pages show the first frame",
        _SPLIT_PTE,
        "        pte = superpage\n",
        ("wrong-result", "isolation", _COUNT),
    ),
    WrongSolution(
        "split-loses-cow",
        "after a split the pages are not COW, so stores to them kill",
        _SPLIT_PTE,
        "        pte = make_pte(ppn(superpage) + index, superpage & FLAGS & ~COW)\n",
        ("pages-and-mappings-agree", "wrong-result"),
    ),
    WrongSolution(
        "split-makes-writable",
        "after a split all pages have W, though others use their frames",
        _SPLIT_PTE,
        "        pte = make_pte(ppn(superpage) + index, superpage & FLAGS & ~COW | W)\n",
        ("shared-is-not-writable",),
    ),
    WrongSolution(
        "split-fixed-flags",
        "after a split the pages have the flags of plain data",
        _SPLIT_PTE,
        "        pte = make_pte(ppn(superpage) + index, superpage & FLAGS & ~8)\n",
        ("wrong-result",),
    ),
    WrongSolution(
        "pointer-keeps-flags",
        "the pointer to the new table has the superpage's flags, so it is a superpage",
        "    memory.store(entry, make_pte(table, V))\n",
        "    memory.store(entry, make_pte(table, superpage & FLAGS))\n",
        ("not-allowed",),
    ),
    WrongSolution(
        "split-counts-pages",
        "a split counts each frame once more",
        _SPLIT_PTE,
        _SPLIT_PTE + "        frames.share(ppn(pte))\n",
        (_COUNT,),
    ),
    WrongSolution(
        "last-page-forgotten",
        "a split makes 511 pages",
        "    for index in range(PTES_PER_TABLE):\n",
        "    for index in range(PTES_PER_TABLE - 1):\n",
        ("wrong-result", _COUNT, "isolation"),
    ),
    WrongSolution(
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
    WrongSolution(
        "whole-copied",
        "a store copies the superpage to another one",
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
    WrongSolution(
        "always-split",
        "a superpage that nobody else uses is split all the same",
        _TAKEN_OVER,
        "        split(memory, frames, root, address)\n",
        ("nothing-is-lost",),
    ),
    WrongSolution(
        "first-frame-asked",
        "a superpage is taken over when its first frame has no other user",
        _OWNER,
        "    return frames.count(first) == 1\n",
        ("shared-is-not-writable",),
    ),
    WrongSolution(
        "last-frame-not-asked",
        "a superpage is taken over when 511 of its frames have no other user",
        _OWNER,
        "    return all(frames.count(frame) == 1 for frame in range(first, first + 511))\n",
        ("shared-is-not-writable",),
    ),
    WrongSolution(
        "never-reused",
        "a small page that nobody else uses is copied",
        "    if frames.count(frame) == 1:\n",
        "    if False:\n",
        ("sole-owner-reuse", "exact-copies"),
    ),
    WrongSolution(
        "first-page-copied",
        "the first page of the superpage is copied, not the one stored to",
        "    memory.copy_frame(frame, copy)\n",
        "    memory.copy_frame(frame & -PTES_PER_TABLE, copy)\n",
        ("isolation",),
    ),
    WrongSolution(
        "old-frame-kept",
        "the frame that was copied keeps its user",
        "    frames.release(frame)\n    return Outcome.COPIED\n",
        "    return Outcome.COPIED\n",
        (_COUNT,),
        left=(50, 90),
    ),
    WrongSolution(
        "read-only-let-through",
        "a store to a read-only page is let through",
        "    if not pte & COW:\n        return Outcome.NOT_ALLOWED\n",
        "",
        ("read-only-is-kept", "rights-are-the-mappings"),
    ),
    WrongSolution(
        "count-of-a-byte",
        "the last user of a small page is recognised by the low byte of its count",
        "    if frames.count(frame) == 1:\n",
        "    if frames.count(frame) & 0xFF == 1:\n",
        ("257-sharers",),
    ),
]

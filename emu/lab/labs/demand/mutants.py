"""Mutants of the lab ``demand``."""

from __future__ import annotations

from emu.lab.graded.mutant import Mutant

_COUNT = "count-is-the-number-of-holders"
_ZERO_PTE = "        memory.store(entry, make_pte(frames.zero, flags))\n"
_UNMAPPED = "            memory.store(entry, 0)\n            frames.release(ppn(pte))\n"
_STACK_TEST = "        if mapping.grows_down and mapping.lowest <= address < mapping.start:\n"
_NO_TABLE = """\
        if entry is None:
            address = (address // SUPERPAGE_SIZE + 1) * SUPERPAGE_SIZE
            continue
"""

MUTANTS = [
    Mutant(
        "zero-frame-writable",
        "the frame of zeroes is mapped with W",
        "            flags = flags & ~W | COW\n",
        "            flags = flags | COW\n",
        ("frame-is-used-for-its-kind", "cow-is-readable-and-not-writable"),
        points_range=(55, 90),
    ),
    Mutant(
        "zero-frame-not-cow",
        "the frame of zeroes is mapped without COW, so that the first store kills the process",
        "            flags = flags & ~W | COW\n",
        "            flags = flags & ~W\n",
        ("pages-and-mappings-agree",),
    ),
    Mutant(
        "always-cow",
        "pages of read-only mappings get COW",
        "        if flags & W:\n            flags = flags & ~W | COW\n",
        "        flags = flags & ~W | COW\n",
        ("pages-and-mappings-agree",),
    ),
    Mutant(
        "zero-frame-not-counted",
        "the frame of zeroes is shared without frames.share()",
        "        frames.share(frames.zero)\n",
        "",
        (_COUNT,),
    ),
    Mutant(
        "no-zero-frame",
        "a load allocates a frame",
        "    if access is not Access.STORE and not grown:\n",
        "    if False:\n",
        ("zeroes-are-shared",),
    ),
    Mutant(
        "zero-frame-for-stores",
        "a store maps the frame of zeroes too, and faults again",
        "    if access is not Access.STORE and not grown:\n",
        "    if not grown:\n",
        ("zero-filled-on-write",),
    ),
    Mutant(
        "old-bytes",
        "a new frame is not zeroed, so that a process sees another's old bytes",
        "    memory.zero_frame(frame)\n",
        "",
        ("isolation",),
    ),
    Mutant(
        "wrong-frame-zeroed",
        "the frame of zeroes is zeroed instead of the new one",
        "    memory.zero_frame(frame)\n",
        "    memory.zero_frame(frames.zero)\n",
        ("not-allowed",),
    ),
    Mutant(
        "rights-not-checked",
        "every access is allowed",
        "    if NEEDED[access] & ~mapping.flags:\n",
        "    if False:\n",
        ("read-only-is-kept",),
    ),
    Mutant(
        "any-right-is-enough",
        "one of the required rights is sufficient",
        "    if NEEDED[access] & ~mapping.flags:\n",
        "    if not NEEDED[access] & mapping.flags:\n",
        ("read-only-is-kept",),
    ),
    Mutant(
        "u-not-checked",
        "memory with PROT_NONE can be read",
        "    if NEEDED[access] & ~mapping.flags:\n",
        "    if NEEDED[access] & ~mapping.flags & ~U:\n",
        ("read-only-is-kept",),
    ),
    Mutant(
        "all-rights",
        "a page gets all rights, regardless of its mapping's rights",
        "    memory.store(entry, make_pte(frame, mapping.flags | D))\n",
        "    memory.store(entry, make_pte(frame, mapping.flags | D | R | W | X))\n",
        ("rights-are-the-mappings",),
        points_range=(55, 90),
    ),
    Mutant(
        "end-included",
        "a mapping's end is included",
        "if each.start <= address < each.end",
        "if each.start <= address <= each.end",
        ("nothing-is-mapped-there", "pages-and-mappings-agree"),
    ),
    Mutant(
        "stack-never-grows",
        "the stack never grows",
        "        mapping = growing_stack(mappings, address)\n",
        "        pass\n",
        ("stack-grows",),
    ),
    Mutant(
        "stack-without-limit",
        "the stack grows without a limit",
        _STACK_TEST,
        "        if mapping.grows_down and address < mapping.start:\n",
        ("wrong-result",),
    ),
    Mutant(
        "stack-grows-by-one",
        "the stack grows to the page below only",
        _STACK_TEST,
        "        if mapping.grows_down and mapping.start - PAGE_SIZE <= address < mapping.start:\n",
        ("stack-grows",),
    ),
    Mutant(
        "stack-limit-off-by-one",
        "the lowest page of the stack is refused",
        _STACK_TEST,
        "        if mapping.grows_down and mapping.lowest < address < mapping.start:\n",
        ("stack-grows",),
    ),
    Mutant(
        "growth-not-reported",
        "ZERO_FILLED is returned for a stack that grew",
        "    return Outcome.STACK_GROWN if grown else Outcome.ZERO_FILLED\n",
        "    return Outcome.ZERO_FILLED\n",
        ("pages-and-mappings-agree",),
    ),
    Mutant(
        "eager",
        "the first access allocates the whole mapping",
        "    return Outcome.STACK_GROWN if grown else Outcome.ZERO_FILLED\n",
        """\
    for other in range(mapping.start, mapping.end, PAGE_SIZE):
        entry = new_leaf_entry(memory, frames, root, other)
        if not memory.load(entry) & V:
            frame = frames.allocate()
            memory.zero_frame(frame)
            memory.store(entry, make_pte(frame, mapping.flags | D))
    return Outcome.STACK_GROWN if grown else Outcome.ZERO_FILLED
""",
        ("nothing-is-lost", "running-out", _COUNT, "isolation"),
    ),
    Mutant(
        "frame-lost-without-table",
        "the frame is allocated before the table, and lost when there is no frame for the table",
        "    entry = new_leaf_entry(memory, frames, root, address)\n",
        """\
    if access is Access.STORE:
        frame = frames.allocate()
        entry = new_leaf_entry(memory, frames, root, address)
        frames.release(frame)
    entry = new_leaf_entry(memory, frames, root, address)
""",
        (_COUNT,),
    ),
    Mutant(
        "unmap-keeps-frames",
        "PTEs are cleared, but the frames are not released",
        _UNMAPPED,
        "            memory.store(entry, 0)\n",
        (_COUNT,),
        points_range=(55, 90),
    ),
    Mutant(
        "unmap-keeps-ptes",
        "frames are released, but the PTEs are not cleared",
        _UNMAPPED,
        "            frames.release(ppn(pte))\n",
        (_COUNT, "mapped-frames-are-in-use", "pages-and-mappings-agree"),
    ),
    Mutant(
        "unmap-forgets-zeroes",
        "the frame of zeroes is not released",
        _UNMAPPED,
        "            memory.store(entry, 0)\n"
        "            if ppn(pte) != frames.zero:\n                frames.release(ppn(pte))\n",
        (_COUNT,),
    ),
    Mutant(
        "unmap-one-page-more",
        "the page at `end` is unmapped too",
        "    while address < end:\n",
        "    while address <= end:\n",
        ("isolation",),
    ),
    Mutant(
        "unmap-stops-at-a-hole",
        "unmapping stops at a missing table",
        _NO_TABLE,
        "        if entry is None:\n            break\n",
        (_COUNT, "pages-and-mappings-agree"),
    ),
    Mutant(
        "unmap-skips-too-far",
        "after a missing table the next address is not the start of a table",
        _NO_TABLE,
        "        if entry is None:\n            address += SUPERPAGE_SIZE\n            continue\n",
        (_COUNT, "pages-and-mappings-agree"),
    ),
    Mutant(
        "unmap-makes-tables",
        "missing tables are allocated during unmapping",
        "        entry = leaf_entry(memory, root, address)\n",
        "        entry = new_leaf_entry(memory, frames, root, address)\n",
        ("nothing-is-lost", "running-out", "raised"),
    ),
]

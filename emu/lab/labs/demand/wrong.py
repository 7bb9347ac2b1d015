"""Wrong solutions of the lab ``demand``."""

from __future__ import annotations

from emu.lab.graded.mutant import WrongSolution

_COUNT = "count-is-the-number-of-holders"
_ZERO_PTE = "        memory.store(entry, make_pte(frames.zero, flags))\n"
_UNMAPPED = "            memory.store(entry, 0)\n            frames.release(ppn(pte))\n"
_STACK_TEST = "        if mapping.grows_down and mapping.lowest <= address < mapping.start:\n"
_NO_TABLE = """\
        if entry is None:
            address = (address // SUPERPAGE_SIZE + 1) * SUPERPAGE_SIZE
            continue
"""

WRONG = [
    WrongSolution(
        "zero-frame-writable",
        "the frame of zeroes is mapped with W",
        "            flags = flags & ~W | COW\n",
        "            flags = flags | COW\n",
        ("frame-is-used-for-its-kind", "cow-is-readable-and-not-writable"),
        left=(55, 90),
    ),
    WrongSolution(
        "zero-frame-not-cow",
        "the frame of zeroes is mapped read-only for good, so the first store kills",
        "            flags = flags & ~W | COW\n",
        "            flags = flags & ~W\n",
        ("pages-and-mappings-agree",),
    ),
    WrongSolution(
        "always-cow",
        "read-only mappings show the frame of zeroes COW",
        "        if flags & W:\n            flags = flags & ~W | COW\n",
        "        flags = flags & ~W | COW\n",
        ("pages-and-mappings-agree",),
    ),
    WrongSolution(
        "zero-frame-not-counted",
        "the frame of zeroes is shared without frames.share()",
        "        frames.share(frames.zero)\n",
        "",
        (_COUNT,),
    ),
    WrongSolution(
        "no-zero-frame",
        "a load takes a frame of its own",
        "    if access is not Access.STORE and not grown:\n",
        "    if False:\n",
        ("zeroes-are-shared",),
    ),
    WrongSolution(
        "zero-frame-for-stores",
        "a store gets the frame of zeroes too, and faults again at once",
        "    if access is not Access.STORE and not grown:\n",
        "    if not grown:\n",
        ("zero-filled-on-write",),
    ),
    WrongSolution(
        "old-bytes",
        "a new frame is not zeroed, so a process sees what another one left",
        "    memory.zero_frame(frame)\n",
        "",
        ("isolation",),
    ),
    WrongSolution(
        "wrong-frame-zeroed",
        "the frame of zeroes is zeroed instead of the new one",
        "    memory.zero_frame(frame)\n",
        "    memory.zero_frame(frames.zero)\n",
        ("not-allowed",),
    ),
    WrongSolution(
        "rights-not-looked-at",
        "every access is let through",
        "    if NEEDED[access] & ~mapping.flags:\n",
        "    if False:\n",
        ("read-only-is-kept",),
    ),
    WrongSolution(
        "any-right-is-enough",
        "one of the rights that are needed is taken for all",
        "    if NEEDED[access] & ~mapping.flags:\n",
        "    if not NEEDED[access] & mapping.flags:\n",
        ("read-only-is-kept",),
    ),
    WrongSolution(
        "u-not-looked-at",
        "memory under PROT_NONE may be read",
        "    if NEEDED[access] & ~mapping.flags:\n",
        "    if NEEDED[access] & ~mapping.flags & ~U:\n",
        ("read-only-is-kept",),
    ),
    WrongSolution(
        "all-rights",
        "a page gets all rights, whatever its mapping says",
        "    memory.store(entry, make_pte(frame, mapping.flags | D))\n",
        "    memory.store(entry, make_pte(frame, mapping.flags | D | R | W | X))\n",
        ("rights-are-the-mappings",),
        left=(55, 90),
    ),
    WrongSolution(
        "end-included",
        "a mapping's end is taken for its last address",
        "if each.start <= address < each.end",
        "if each.start <= address <= each.end",
        ("nothing-is-mapped-there", "pages-and-mappings-agree"),
    ),
    WrongSolution(
        "stack-never-grows",
        "the stack may not grow",
        "        mapping = growing_stack(mappings, address)\n",
        "        pass\n",
        ("stack-grows",),
    ),
    WrongSolution(
        "stack-without-limit",
        "the stack grows however far",
        _STACK_TEST,
        "        if mapping.grows_down and address < mapping.start:\n",
        ("wrong-result",),
    ),
    WrongSolution(
        "stack-grows-by-one",
        "the stack grows to the page below only",
        _STACK_TEST,
        "        if mapping.grows_down and mapping.start - PAGE_SIZE <= address < mapping.start:\n",
        ("stack-grows",),
    ),
    WrongSolution(
        "stack-limit-off-by-one",
        "the lowest page of the stack is refused",
        _STACK_TEST,
        "        if mapping.grows_down and mapping.lowest < address < mapping.start:\n",
        ("stack-grows",),
    ),
    WrongSolution(
        "growth-not-told",
        "a stack that grew is told as a page that was filled",
        "    return Outcome.STACK_GROWN if grown else Outcome.ZERO_FILLED\n",
        "    return Outcome.ZERO_FILLED\n",
        ("pages-and-mappings-agree",),
    ),
    WrongSolution(
        "eager",
        "the whole mapping is filled at the first touch",
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
    WrongSolution(
        "frame-lost-without-table",
        "the frame is taken before the table, and lost when there is none",
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
    WrongSolution(
        "unmap-keeps-frames",
        "PTEs are cleared, and the frames never given back",
        _UNMAPPED,
        "            memory.store(entry, 0)\n",
        (_COUNT,),
        left=(55, 90),
    ),
    WrongSolution(
        "unmap-keeps-ptes",
        "frames are given back, and the PTEs still lead to them",
        _UNMAPPED,
        "            frames.release(ppn(pte))\n",
        (_COUNT, "mapped-frames-are-in-use", "pages-and-mappings-agree"),
    ),
    WrongSolution(
        "unmap-forgets-zeroes",
        "the frame of zeroes is not released",
        _UNMAPPED,
        "            memory.store(entry, 0)\n"
        "            if ppn(pte) != frames.zero:\n                frames.release(ppn(pte))\n",
        (_COUNT,),
    ),
    WrongSolution(
        "unmap-one-page-more",
        "the page at `end` goes too",
        "    while address < end:\n",
        "    while address <= end:\n",
        ("isolation",),
    ),
    WrongSolution(
        "unmap-stops-at-a-hole",
        "nothing is unmapped beyond a table that is not there",
        _NO_TABLE,
        "        if entry is None:\n            break\n",
        (_COUNT, "pages-and-mappings-agree"),
    ),
    WrongSolution(
        "unmap-skips-too-far",
        "after a missing table the next address is not where the next one begins",
        _NO_TABLE,
        "        if entry is None:\n            address += SUPERPAGE_SIZE\n            continue\n",
        (_COUNT, "pages-and-mappings-agree"),
    ),
    WrongSolution(
        "unmap-makes-tables",
        "tables are made to find that nothing is in them",
        "        entry = leaf_entry(memory, root, address)\n",
        "        entry = new_leaf_entry(memory, frames, root, address)\n",
        ("nothing-is-lost", "running-out", "raised"),
    ),
]

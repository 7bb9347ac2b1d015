"""Mutants of the lab ``shared-tables``."""

from __future__ import annotations

from emu.lab.graded.mutant import Mutant

_COUNT = "count-is-the-number-of-holders"
_TAKE = "        if pte & V and pte & W and frames.is_private(ppn(pte)):\n"
_SHARE_PAGES = """\
    for pte in memory.table(copy):
        if pte & V:
            frames.share(ppn(pte))
"""
_RELEASE_PAGES = """\
            if frames.count(table) == 1:
                for pte in memory.table(table):
                    if pte & V:
                        frames.release(ppn(pte))
"""
_OWN = "    if not pointer & V or frames.count(ppn(pointer)) == 1:\n        return False\n"
_FIRST_TIME = """\
            if frames.count(ppn(pointer)) == 1:
                take_w(memory, frames, ppn(pointer))
"""

MUTANTS = [
    Mutant(
        "still-writable",
        "tables are shared while their pages have W",
        _FIRST_TIME,
        "",
        ("shared-is-not-writable",),
        points_range=(70, 90),
    ),
    Mutant(
        "w-taken-without-cow",
        "pages lose W without getting COW, so that they stay read-only",
        "pte & ~W | COW)\n",
        "pte & ~W)\n",
        ("pages-and-mappings-agree",),
    ),
    Mutant(
        "read-only-becomes-cow",
        "read-only pages get COW too, so that a store to them is allowed",
        _TAKE,
        "        if pte & V and frames.is_private(ppn(pte)):\n",
        ("pages-and-mappings-agree",),
    ),
    Mutant(
        "shared-memory-becomes-cow",
        "shared memory gets COW",
        _TAKE,
        "        if pte & V and pte & W:\n",
        ("pages-and-mappings-agree",),
    ),
    Mutant(
        "last-entries-forgotten",
        "only the first 256 pages of a table lose W",
        "    for index, pte in enumerate(memory.table(table)):\n",
        "    for index, pte in enumerate(memory.table(table)[:256]):\n",
        ("shared-is-not-writable",),
    ),
    Mutant(
        "written-again",
        "PTEs of a table that is already shared are written at every fork",
        "    for index, pte in enumerate(memory.table(table)):\n" + _TAKE,
        "    for index, pte in enumerate(memory.table(table)):\n"
        "        if pte & V and (pte & W or pte & COW) and frames.is_private(ppn(pte)):\n",
        ("exact-pte-writes",),
    ),
    Mutant(
        "table-not-counted",
        "the use of a shared leaf table is not counted",
        "            frames.share(ppn(pointer))\n",
        "",
        (_COUNT,),
        points_range=(65, 85),
    ),
    Mutant(
        "pages-counted-at-fork",
        "fork increments the counts of the frames in a shared table",
        "            frames.share(ppn(pointer))\n",
        """\
            frames.share(ppn(pointer))
            for pte in memory.table(ppn(pointer)):
                if pte & V:
                    frames.share(ppn(pte))
""",
        (_COUNT,),
    ),
    Mutant(
        "tables-copied",
        "fork copies the leaf tables, as an ordinary copy-on-write fork does",
        """\
            memory.store((child << PAGE_SHIFT) + PTE_SIZE * index, pointer)
            frames.share(ppn(pointer))
""",
        """\
            copy = frames.allocate_table()
            memory.copy_frame(ppn(pointer), copy)
            for pte in memory.table(copy):
                if pte & V:
                    frames.share(ppn(pte))
            memory.store((child << PAGE_SHIFT) + PTE_SIZE * index, make_pte(copy, V))
""",
        ("nothing-is-lost",),
    ),
    Mutant(
        "middle-tables-shared",
        "the middle tables are shared too, and changed for both processes",
        """\
                middle = frames.allocate_table()
                memory.store((child << PAGE_SHIFT) + PTE_SIZE * index, make_pte(middle, V))
                share_leaves(memory, frames, ppn(top), middle)
""",
        """\
                for pointer in memory.table(ppn(top)):
                    if pointer & V:
                        take_w(memory, frames, ppn(pointer))
                memory.store((child << PAGE_SHIFT) + PTE_SIZE * index, top)
                frames.share(ppn(top))
""",
        ("not-allowed",),
    ),
    Mutant(
        "fork-keeps-tables",
        "a fork that runs out of frames does not release the child's tables",
        "        release_tables(memory, frames, child)\n        raise\n",
        "        raise\n",
        (_COUNT,),
    ),
    Mutant(
        "fork-keeps-middles",
        "a fork that runs out of frames releases only the root",
        "        release_tables(memory, frames, child)\n        raise\n",
        "        frames.release(child)\n        raise\n",
        (_COUNT,),
    ),
    Mutant(
        "own-does-nothing",
        "a table with other users is changed in place",
        _OWN,
        "    return False\n",
        ("wrong-result",),
    ),
    Mutant(
        "pages-of-copy-not-counted",
        "the counts of the frames in a copied table are not incremented",
        _SHARE_PAGES,
        "",
        ("shared-is-not-writable", _COUNT),
    ),
    Mutant(
        "only-private-pages-counted",
        "only the counts of private frames in a copied table are incremented",
        _SHARE_PAGES,
        "    for pte in memory.table(copy):\n"
        "        if pte & V and frames.is_private(ppn(pte)):\n            frames.share(ppn(pte))\n",
        (_COUNT,),
    ),
    Mutant(
        "old-table-kept",
        "the old table is not released after a copy",
        "    frames.release(ppn(pointer))\n    return True\n",
        "    return True\n",
        (_COUNT,),
        points_range=(55, 75),
    ),
    Mutant(
        "copy-not-linked",
        "no page table refers to the copy",
        "    memory.store(place, make_pte(copy, V))\n",
        "",
        ("wrong-result",),
    ),
    Mutant(
        "released-before-allocated",
        "the old table is released before the copy is allocated",
        """\
    copy = frames.allocate_table()
    memory.copy_frame(ppn(pointer), copy)
""",
        """\
    frames.release(ppn(pointer))
    copy = frames.allocate_table()
    memory.copy_frame(ppn(pointer), copy)
    frames.share(ppn(pointer))
""",
        (_COUNT,),
    ),
    Mutant(
        "copied-when-alone",
        "a table without other users is copied",
        _OWN,
        "    if not pointer & V:\n        return False\n",
        (_COUNT,),
    ),
    Mutant(
        "returns-false-always",
        "own_table() returns False after a copy",
        "    frames.release(ppn(pointer))\n    return True\n",
        "    frames.release(ppn(pointer))\n    return False\n",
        ("wrong-result",),
    ),
    Mutant(
        "first-table-only",
        "own_table() copies the first leaf table, whatever the address",
        "    place = (ppn(top) << PAGE_SHIFT) + PTE_SIZE * vpn(address, 1)\n",
        "    place = ppn(top) << PAGE_SHIFT\n",
        ("wrong-result",),
    ),
    Mutant(
        "exit-takes-others-pages",
        "exit releases the pages of a table with other users",
        _RELEASE_PAGES,
        """\
            for pte in memory.table(table):
                if pte & V:
                    frames.release(ppn(pte))
""",
        (_COUNT, "not-allowed", "mapped-frames-are-in-use"),
    ),
    Mutant(
        "exit-leaves-pages",
        "exit never releases a page",
        _RELEASE_PAGES,
        "",
        (_COUNT,),
    ),
    Mutant(
        "exit-checks-too-late",
        "exit checks for the last user of a table after releasing it",
        _RELEASE_PAGES + "            frames.release(table)\n",
        """\
            frames.release(table)
            if frames.count(table) == 1:
                for pte in memory.table(table):
                    if pte & V:
                        frames.release(ppn(pte))
""",
        (_COUNT, "not-allowed", "mapped-frames-are-in-use"),
    ),
    Mutant(
        "exit-leaves-middles",
        "exit does not release the middle tables",
        "        frames.release(ppn(top))\n    frames.release(root)\n",
        "    frames.release(root)\n",
        (_COUNT,),
    ),
    Mutant(
        "own-counts-in-a-byte",
        "other users of a table are recognised by the low byte of its count",
        "    if not pointer & V or frames.count(ppn(pointer)) == 1:\n",
        "    if not pointer & V or frames.count(ppn(pointer)) & 0xFF == 1:\n",
        ("257-sharers",),
    ),
    Mutant(
        "exit-counts-in-a-byte",
        "exit recognises the last user of a table by the low byte of its count",
        "            if frames.count(table) == 1:\n",
        "            if frames.count(table) & 0xFF == 1:\n",
        ("257-sharers",),
    ),
    Mutant(
        "marked-again",
        "take_w() clears COW of pages that were COW already",
        "            memory.store((table << PAGE_SHIFT) + PTE_SIZE * index, pte & ~W | COW)\n",
        "            memory.store((table << PAGE_SHIFT) + PTE_SIZE * index, pte & ~W | COW)\n"
        "        elif pte & COW and frames.is_private(ppn(pte)):\n"
        "            memory.store((table << PAGE_SHIFT) + PTE_SIZE * index, pte & ~COW)\n",
        ("pages-and-mappings-agree",),
    ),
    Mutant(
        "first-process-shared",
        "a fork shares the tables of the process that forked first, not its parent's, so that what "
        "was written since is lost",
        "                share_leaves(memory, frames, ppn(top), middle)\n",
        '                first = globals().setdefault("FIRST", {}).setdefault(index, ppn(top))\n'
        "                share_leaves(memory, frames, first, middle)\n",
        ("isolation",),
    ),
]

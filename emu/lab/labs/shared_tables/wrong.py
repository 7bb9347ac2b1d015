"""Wrong solutions of the lab ``shared-tables``."""

from __future__ import annotations

from emu.lab.graded.mutant import WrongSolution

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

WRONG = [
    WrongSolution(
        "still-writable",
        "tables are shared while their pages may be stored to",
        _FIRST_TIME,
        "",
        ("shared-is-not-writable",),
        left=(70, 90),
    ),
    WrongSolution(
        "w-taken-without-cow",
        "pages lose W and are not marked, so they are read-only for good",
        "pte & ~W | COW)\n",
        "pte & ~W)\n",
        ("pages-and-mappings-agree",),
    ),
    WrongSolution(
        "read-only-becomes-cow",
        "read-only pages are marked COW too, so a store to one is let through",
        _TAKE,
        "        if pte & V and frames.is_private(ppn(pte)):\n",
        ("pages-and-mappings-agree",),
    ),
    WrongSolution(
        "shared-memory-becomes-cow",
        "memory that is shared on purpose is marked COW",
        _TAKE,
        "        if pte & V and pte & W:\n",
        ("pages-and-mappings-agree",),
    ),
    WrongSolution(
        "last-entries-forgotten",
        "only the first 256 pages of a table lose W",
        "    for index, pte in enumerate(memory.table(table)):\n",
        "    for index, pte in enumerate(memory.table(table)[:256]):\n",
        ("shared-is-not-writable",),
    ),
    WrongSolution(
        "written-again",
        "PTEs of a table that is shared already are written at every fork",
        "    for index, pte in enumerate(memory.table(table)):\n" + _TAKE,
        "    for index, pte in enumerate(memory.table(table)):\n"
        "        if pte & V and (pte & W or pte & COW) and frames.is_private(ppn(pte)):\n",
        ("exact-pte-writes",),
    ),
    WrongSolution(
        "table-not-counted",
        "a leaf table that is shared has one user still",
        "            frames.share(ppn(pointer))\n",
        "",
        (_COUNT,),
        left=(65, 85),
    ),
    WrongSolution(
        "pages-counted-at-fork",
        "the frames in a shared table count twice, though they have one PTE each",
        "            frames.share(ppn(pointer))\n",
        """\
            frames.share(ppn(pointer))
            for pte in memory.table(ppn(pointer)):
                if pte & V:
                    frames.share(ppn(pte))
""",
        (_COUNT,),
    ),
    WrongSolution(
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
    WrongSolution(
        "middle-tables-shared",
        "the middle tables are shared as well, and changed for both",
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
    WrongSolution(
        "fork-keeps-tables",
        "a fork that runs out leaves the child's tables behind",
        "        release_tables(memory, frames, child)\n        raise\n",
        "        raise\n",
        (_COUNT,),
    ),
    WrongSolution(
        "fork-keeps-middles",
        "a fork that runs out gives back the root only",
        "        release_tables(memory, frames, child)\n        raise\n",
        "        frames.release(child)\n        raise\n",
        (_COUNT,),
    ),
    WrongSolution(
        "own-does-nothing",
        "a table that others use is changed as it is",
        _OWN,
        "    return False\n",
        ("wrong-result",),
    ),
    WrongSolution(
        "pages-of-copy-not-counted",
        "the frames in a copied table do not get the user that they have more",
        _SHARE_PAGES,
        "",
        ("shared-is-not-writable", _COUNT),
    ),
    WrongSolution(
        "only-private-pages-counted",
        "only private frames in a copied table get a user more",
        _SHARE_PAGES,
        "    for pte in memory.table(copy):\n"
        "        if pte & V and frames.is_private(ppn(pte)):\n            frames.share(ppn(pte))\n",
        (_COUNT,),
    ),
    WrongSolution(
        "old-table-kept",
        "the old table keeps the user that has a copy now",
        "    frames.release(ppn(pointer))\n    return True\n",
        "    return True\n",
        (_COUNT,),
        left=(55, 75),
    ),
    WrongSolution(
        "copy-not-linked",
        "the copy hangs in no page table",
        "    memory.store(place, make_pte(copy, V))\n",
        "",
        ("wrong-result",),
    ),
    WrongSolution(
        "released-before-allocated",
        "the old table is given away before there is a frame for the copy",
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
    WrongSolution(
        "copied-when-alone",
        "a table is copied though nobody else uses it any more",
        _OWN,
        "    if not pointer & V:\n        return False\n",
        (_COUNT,),
    ),
    WrongSolution(
        "says-nothing",
        "own_table() does not say that it copied",
        "    frames.release(ppn(pointer))\n    return True\n",
        "    frames.release(ppn(pointer))\n    return False\n",
        ("wrong-result",),
    ),
    WrongSolution(
        "first-table-only",
        "own_table() copies the first leaf table, whatever the address",
        "    place = (ppn(top) << PAGE_SHIFT) + PTE_SIZE * vpn(address, 1)\n",
        "    place = ppn(top) << PAGE_SHIFT\n",
        ("wrong-result",),
    ),
    WrongSolution(
        "exit-takes-others-pages",
        "exit releases the pages of a table that others still use",
        _RELEASE_PAGES,
        """\
            for pte in memory.table(table):
                if pte & V:
                    frames.release(ppn(pte))
""",
        (_COUNT, "not-allowed", "mapped-frames-are-in-use"),
    ),
    WrongSolution(
        "exit-leaves-pages",
        "exit never releases a page",
        _RELEASE_PAGES,
        "",
        (_COUNT,),
    ),
    WrongSolution(
        "exit-looks-too-late",
        "exit asks whether it was a table's last user after it gave the table back",
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
    WrongSolution(
        "exit-leaves-middles",
        "exit leaves the middle tables",
        "        frames.release(ppn(top))\n    frames.release(root)\n",
        "    frames.release(root)\n",
        (_COUNT,),
    ),
    WrongSolution(
        "own-counts-in-a-byte",
        "whether others use the table is decided by the low byte of its count",
        "    if not pointer & V or frames.count(ppn(pointer)) == 1:\n",
        "    if not pointer & V or frames.count(ppn(pointer)) & 0xFF == 1:\n",
        ("257-sharers",),
    ),
    WrongSolution(
        "exit-counts-in-a-byte",
        "exit recognises the last user of a table by the low byte of its count",
        "            if frames.count(table) == 1:\n",
        "            if frames.count(table) & 0xFF == 1:\n",
        ("257-sharers",),
    ),
    WrongSolution(
        "marked-anew",
        "a table that is shared again is marked by W alone, and loses what was COW already",
        "            memory.store((table << PAGE_SHIFT) + PTE_SIZE * index, pte & ~W | COW)\n",
        "            memory.store((table << PAGE_SHIFT) + PTE_SIZE * index, pte & ~W | COW)\n"
        "        elif pte & COW and frames.is_private(ppn(pte)):\n"
        "            memory.store((table << PAGE_SHIFT) + PTE_SIZE * index, pte & ~COW)\n",
        ("pages-and-mappings-agree",),
    ),
    WrongSolution(
        "first-process-shared",
        "a fork shares the tables of the process that forked first, not its parent's, so that what "
        "was written since is lost",
        "                share_leaves(memory, frames, ppn(top), middle)\n",
        '                first = globals().setdefault("FIRST", {}).setdefault(index, ppn(top))\n'
        "                share_leaves(memory, frames, first, middle)\n",
        ("isolation",),
    ),
]

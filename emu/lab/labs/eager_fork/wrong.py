"""Wrong solutions of the lab ``eager-fork``, and by what each is told."""

from __future__ import annotations

from emu.lab.graded.mutant import WrongSolution

_ALLOCATE = """    copy = frames.allocate()
    memory.copy_frame(frame, copy)
    return make_pte(copy, pte & FLAGS)
"""
_PRIVATE = """    if not frames.is_private(frame):
        frames.share(frame)
        return pte
"""
_MAP = """            entry = new_leaf_entry(memory, frames, child, address)
            memory.store(entry, copy_page(memory, frames, pte))
"""
_LOOP = "        for address, _, pte in pages(memory, parent):\n" + _MAP
_ROLLBACK = """        release_space(memory, frames, child)
        raise
"""
_PAGES = """            for pte in memory.table(ppn(middle)):
                if pte & V:
                    frames.release(ppn(pte))
"""
_COUNT = "count-is-the-number-of-holders"

WRONG = [
    WrongSolution(
        "shares-the-frames",
        "the child gets the parent's frame, writable in both",
        _ALLOCATE,
        "    frames.share(frame)\n    return pte\n",
        ("shared-is-not-writable",),
    ),
    WrongSolution(
        "copies-no-bytes",
        "the child's frame is allocated, and nothing copied to it",
        "    memory.copy_frame(frame, copy)\n",
        "",
        ("isolation",),
        left=(50, 75),
    ),
    WrongSolution(
        "copies-the-wrong-way",
        "source and target are exchanged",
        "memory.copy_frame(frame, copy)",
        "memory.copy_frame(copy, frame)",
        ("used-frames-are-left-alone",),
    ),
    WrongSolution(
        "copies-half-a-page",
        "2,048 bytes are copied",
        "memory.copy_frame(frame, copy)",
        "memory.write(copy << 12, memory.read(frame << 12, 2048))",
        ("isolation",),
    ),
    WrongSolution(
        "copies-twice",
        "every page is copied two times",
        "memory.copy_frame(frame, copy)",
        "memory.copy_frame(frame, copy)\n    memory.copy_frame(frame, copy)",
        ("exact-copies",),
        left=(70, 95),
    ),
    WrongSolution(
        "copies-shared-memory",
        "memory that is shared on purpose is copied too",
        _PRIVATE,
        "",
        ("frame-is-used-for-its-kind",),
    ),
    WrongSolution(
        "count-not-raised",
        "shared memory has a user more, and is not counted",
        "        frames.share(frame)\n",
        "",
        (_COUNT,),
        left=(55, 80),
    ),
    WrongSolution(
        "count-raised-twice",
        "shared memory is counted two times for one PTE",
        "        frames.share(frame)\n",
        "        frames.share(frame)\n        frames.share(frame)\n",
        (_COUNT,),
    ),
    WrongSolution(
        "all-writable",
        "the child may write read-only pages",
        "make_pte(copy, pte & FLAGS)",
        "make_pte(copy, pte & FLAGS | 0b100)",
        ("rights-are-the-mappings", "frame-is-used-for-its-kind"),
    ),
    WrongSolution(
        "all-executable",
        "the child may execute its data",
        "make_pte(copy, pte & FLAGS)",
        "make_pte(copy, pte & FLAGS | 0b1000)",
        ("rights-are-the-mappings",),
    ),
    WrongSolution(
        "not-for-the-user",
        "the child's pages lack U",
        "make_pte(copy, pte & FLAGS)",
        "make_pte(copy, pte & FLAGS & ~0b10000)",
        ("rights-are-the-mappings",),
    ),
    WrongSolution(
        "dirty-lost",
        "the child's pages lack D",
        "make_pte(copy, pte & FLAGS)",
        "make_pte(copy, pte & FLAGS & ~0x80)",
        ("bits-are-kept",),
    ),
    WrongSolution(
        "low-half-only",
        "the address loses the bits above 2 MiB, so that pages of two tables meet",
        "new_leaf_entry(memory, frames, child, address)",
        "new_leaf_entry(memory, frames, child, address & 0x1F_FFFF)",
        (_COUNT, "isolation", "mapped-frames-are-in-use", "pages-and-mappings-agree"),
    ),
    WrongSolution(
        "last-of-a-table-left-out",
        "the last of a table's 512 pages is not copied",
        _MAP,
        "            if address >> 12 & 511 == 511:\n                continue\n" + _MAP,
        ("isolation",),
    ),
    WrongSolution(
        "written-twice",
        "every PTE is written two times",
        "            memory.store(entry, copy_page(memory, frames, pte))\n",
        "            memory.store(entry, 0)\n"
        "            memory.store(entry, copy_page(memory, frames, pte))\n",
        ("exact-pte-writes",),
    ),
    WrongSolution(
        "stored-in-the-parent",
        "the child's PTEs are written to the parent's table",
        _LOOP,
        "        for address, entry, pte in pages(memory, parent):\n"
        "            new_leaf_entry(memory, frames, child, address)\n"
        "            memory.store(entry, copy_page(memory, frames, pte))\n",
        (_COUNT,),
    ),
    WrongSolution(
        "entry-is-no-address",
        "the PTE is stored at the number of its table's frame",
        "memory.store(entry, copy_page(memory, frames, pte))",
        "memory.store(entry >> 12, copy_page(memory, frames, pte))",
        ("raised",),
    ),
    WrongSolution(
        "parents-table",
        "the child gets the parent's own root",
        "    return child\n",
        "    frames.release(child)\n    frames.share(parent)\n    return parent\n",
        ("wrong-result",),
    ),
    WrongSolution(
        "shares-the-lower-tables",
        "the child's root has the parent's entries, and so leads to the same tables",
        _LOOP,
        """        for index, top in enumerate(memory.table(parent)):
            if top & V:
                memory.store((child << 12) + 8 * index, top)
                frames.share(ppn(top))
""",
        ("tables-are-their-spaces-own",),
    ),
    WrongSolution(
        "no-rollback",
        "a fork that runs out keeps what it took",
        _ROLLBACK,
        "        raise\n",
        (_COUNT,),
    ),
    WrongSolution(
        "root-only-rolled-back",
        "a fork that runs out gives back the root table alone",
        "        release_space(memory, frames, child)\n",
        "        frames.release(child)\n",
        (_COUNT,),
    ),
    WrongSolution(
        "parent-rolled-back",
        "a fork that runs out gives back the parent's memory",
        "        release_space(memory, frames, child)\n",
        "        release_space(memory, frames, parent)\n",
        (_COUNT, "mapped-frames-are-in-use", "not-allowed"),
    ),
    WrongSolution(
        "copy-kept-on-failure",
        "the page's frame is taken before its table, and forgotten when there is none",
        _MAP,
        "            copied = copy_page(memory, frames, pte)\n"
        "            memory.store(new_leaf_entry(memory, frames, child, address), copied)\n",
        (_COUNT,),
    ),
    WrongSolution(
        "half-a-child",
        "a fork that runs out returns the child as far as it got",
        _ROLLBACK,
        "        pass\n",
        ("running-out",),
    ),
    WrongSolution(
        "panics",
        "a fork that runs out stops the machine",
        _ROLLBACK,
        '        raise RuntimeError("panic: kalloc") from None\n',
        ("raised",),
    ),
    WrongSolution(
        "tries-for-ever",
        "a fork that runs out tries again until there is memory",
        "    child = frames.allocate_table()\n",
        "    while True:\n"
        "        try:\n"
        "            child = frames.allocate_table()\n"
        "        except OutOfFrames:\n"
        "            continue\n"
        "        break\n",
        ("running-out",),
    ),
    WrongSolution("exit-keeps-pages", "exit gives back the tables alone", _PAGES, "", (_COUNT,)),
    WrongSolution(
        "exit-keeps-leaf-tables",
        "exit forgets the tables of the last level",
        "            frames.release(ppn(middle))\n",
        "",
        (_COUNT,),
    ),
    WrongSolution(
        "exit-keeps-the-root",
        "exit forgets the root",
        "        frames.release(ppn(top))\n    frames.release(root)\n",
        "        frames.release(ppn(top))\n",
        (_COUNT,),
    ),
    WrongSolution(
        "exit-stops-early",
        "exit stops at the first entry of the root that is empty",
        "        if not top & V:\n            continue\n",
        "        if not top & V:\n            break\n",
        (_COUNT,),
    ),
    WrongSolution(
        "exit-frees-private-only",
        "exit takes no user from shared memory",
        "                if pte & V:\n",
        "                if pte & V and frames.is_private(ppn(pte)):\n",
        (_COUNT,),
    ),
    WrongSolution(
        "exit-frees-for-all",
        "exit releases shared memory as often as it has users",
        "                    frames.release(ppn(pte))\n",
        "                    for _ in range(frames.count(ppn(pte))):\n"
        "                        frames.release(ppn(pte))\n",
        (_COUNT, "not-allowed"),
    ),
    WrongSolution(
        "exit-keeps-execute-only",
        "exit gives back pages with R alone, and a page may have X alone",
        "                if pte & V:\n",
        "                if pte & 2:\n",
        (_COUNT,),
    ),
    WrongSolution(
        "child-is-dirty",
        "the child's pages have D, which nobody stored to",
        "pte & FLAGS)",
        "pte & FLAGS | 0x80)",
        ("bits-are-kept",),
    ),
    WrongSolution(
        "child-is-global",
        "the child's pages have G, so a TLB keeps them for the next process",
        "pte & FLAGS)",
        "pte & FLAGS | 0x20)",
        ("bits-are-kept",),
    ),
    WrongSolution(
        "first-process-copied",
        "a fork copies the pages of the process that forked first, not its parent's, so that what "
        "was written since is lost",
        "            memory.store(entry, copy_page(memory, frames, pte))\n",
        '            first = globals().setdefault("FIRST", {}).setdefault(address, pte)\n'
        "            memory.store(entry, copy_page(memory, frames, first))\n",
        ("isolation",),
    ),
]

"""Mutants of the lab ``eager-fork``."""

from __future__ import annotations

from emu.lab.graded.mutant import Mutant

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

MUTANTS = [
    Mutant(
        "shares-the-frames",
        "the child gets the parent's frame, writable in both",
        _ALLOCATE,
        "    frames.share(frame)\n    return pte\n",
        ("shared-is-not-writable",),
    ),
    Mutant(
        "copies-no-bytes",
        "the child's frame is allocated, but no bytes are copied",
        "    memory.copy_frame(frame, copy)\n",
        "",
        ("isolation",),
        points_range=(50, 75),
    ),
    Mutant(
        "copies-the-wrong-way",
        "source and target are exchanged",
        "memory.copy_frame(frame, copy)",
        "memory.copy_frame(copy, frame)",
        ("used-frames-are-left-alone",),
    ),
    Mutant(
        "copies-half-a-page",
        "2,048 bytes are copied",
        "memory.copy_frame(frame, copy)",
        "memory.write(copy << 12, memory.read(frame << 12, 2048))",
        ("isolation",),
    ),
    Mutant(
        "copies-twice",
        "every page is copied two times",
        "memory.copy_frame(frame, copy)",
        "memory.copy_frame(frame, copy)\n    memory.copy_frame(frame, copy)",
        ("exact-copies",),
        points_range=(70, 95),
    ),
    Mutant(
        "copies-shared-memory",
        "shared memory is copied too",
        _PRIVATE,
        "",
        ("frame-is-used-for-its-kind",),
    ),
    Mutant(
        "count-not-incremented",
        "the child's use of shared memory is not counted",
        "        frames.share(frame)\n",
        "",
        (_COUNT,),
        points_range=(55, 80),
    ),
    Mutant(
        "count-incremented-twice",
        "the child's use of shared memory is counted twice",
        "        frames.share(frame)\n",
        "        frames.share(frame)\n        frames.share(frame)\n",
        (_COUNT,),
    ),
    Mutant(
        "all-writable",
        "the child may write read-only pages",
        "make_pte(copy, pte & FLAGS)",
        "make_pte(copy, pte & FLAGS | 0b100)",
        ("rights-are-the-mappings", "frame-is-used-for-its-kind"),
    ),
    Mutant(
        "all-executable",
        "the child may execute its data",
        "make_pte(copy, pte & FLAGS)",
        "make_pte(copy, pte & FLAGS | 0b1000)",
        ("rights-are-the-mappings",),
    ),
    Mutant(
        "not-for-the-user",
        "the child's pages lack U",
        "make_pte(copy, pte & FLAGS)",
        "make_pte(copy, pte & FLAGS & ~0b10000)",
        ("rights-are-the-mappings",),
    ),
    Mutant(
        "dirty-lost",
        "the child's pages lack D",
        "make_pte(copy, pte & FLAGS)",
        "make_pte(copy, pte & FLAGS & ~0x80)",
        ("bits-are-kept",),
    ),
    Mutant(
        "low-half-only",
        "the address loses the bits above 2 MiB, so that pages of two tables overlap",
        "new_leaf_entry(memory, frames, child, address)",
        "new_leaf_entry(memory, frames, child, address & 0x1F_FFFF)",
        (_COUNT, "isolation", "mapped-frames-are-in-use", "pages-and-mappings-agree"),
    ),
    Mutant(
        "last-of-a-table-left-out",
        "the last of a table's 512 pages is not copied",
        _MAP,
        "            if address >> 12 & 511 == 511:\n                continue\n" + _MAP,
        ("isolation",),
    ),
    Mutant(
        "written-twice",
        "every PTE is written two times",
        "            memory.store(entry, copy_page(memory, frames, pte))\n",
        "            memory.store(entry, 0)\n"
        "            memory.store(entry, copy_page(memory, frames, pte))\n",
        ("exact-pte-writes",),
    ),
    Mutant(
        "stored-in-the-parent",
        "the child's PTEs are written to the parent's table",
        _LOOP,
        "        for address, entry, pte in pages(memory, parent):\n"
        "            new_leaf_entry(memory, frames, child, address)\n"
        "            memory.store(entry, copy_page(memory, frames, pte))\n",
        (_COUNT,),
    ),
    Mutant(
        "entry-is-no-address",
        "the PTE is stored at the number of its table's frame",
        "memory.store(entry, copy_page(memory, frames, pte))",
        "memory.store(entry >> 12, copy_page(memory, frames, pte))",
        ("raised",),
    ),
    Mutant(
        "parents-table",
        "the child gets the parent's own root",
        "    return child\n",
        "    frames.release(child)\n    frames.share(parent)\n    return parent\n",
        ("wrong-result",),
    ),
    Mutant(
        "shares-the-lower-tables",
        "the child's root has the parent's entries, and so refers to the same tables",
        _LOOP,
        """        for index, top in enumerate(memory.table(parent)):
            if top & V:
                memory.store((child << 12) + 8 * index, top)
                frames.share(ppn(top))
""",
        ("tables-are-their-spaces-own",),
    ),
    Mutant(
        "no-rollback",
        "a fork that runs out of frames releases nothing",
        _ROLLBACK,
        "        raise\n",
        (_COUNT,),
    ),
    Mutant(
        "root-only-rolled-back",
        "a fork that runs out of frames releases only the root table",
        "        release_space(memory, frames, child)\n",
        "        frames.release(child)\n",
        (_COUNT,),
    ),
    Mutant(
        "parent-rolled-back",
        "a fork that runs out of frames releases the parent's memory",
        "        release_space(memory, frames, child)\n",
        "        release_space(memory, frames, parent)\n",
        (_COUNT, "mapped-frames-are-in-use", "not-allowed"),
    ),
    Mutant(
        "copy-kept-on-failure",
        "the page's frame is allocated before its table, and lost if there is none for the table",
        _MAP,
        "            copied = copy_page(memory, frames, pte)\n"
        "            memory.store(new_leaf_entry(memory, frames, child, address), copied)\n",
        (_COUNT,),
    ),
    Mutant(
        "half-a-child",
        "a fork that runs out of frames returns the incomplete child",
        _ROLLBACK,
        "        pass\n",
        ("running-out",),
    ),
    Mutant(
        "panics",
        "a fork that runs out of frames stops the machine",
        _ROLLBACK,
        '        raise RuntimeError("panic: kalloc") from None\n',
        ("raised",),
    ),
    Mutant(
        "retries-forever",
        "a fork that runs out of frames retries forever",
        "    child = frames.allocate_table()\n",
        "    while True:\n"
        "        try:\n"
        "            child = frames.allocate_table()\n"
        "        except OutOfFrames:\n"
        "            continue\n"
        "        break\n",
        ("running-out",),
    ),
    Mutant("exit-keeps-pages", "exit releases only the tables", _PAGES, "", (_COUNT,)),
    Mutant(
        "exit-keeps-leaf-tables",
        "exit does not release the tables of the last level",
        "            frames.release(ppn(middle))\n",
        "",
        (_COUNT,),
    ),
    Mutant(
        "exit-keeps-the-root",
        "exit does not release the root",
        "        frames.release(ppn(top))\n    frames.release(root)\n",
        "        frames.release(ppn(top))\n",
        (_COUNT,),
    ),
    Mutant(
        "exit-stops-early",
        "exit stops at the first entry of the root that is empty",
        "        if not top & V:\n            continue\n",
        "        if not top & V:\n            break\n",
        (_COUNT,),
    ),
    Mutant(
        "exit-frees-private-only",
        "exit does not release shared memory",
        "                if pte & V:\n",
        "                if pte & V and frames.is_private(ppn(pte)):\n",
        (_COUNT,),
    ),
    Mutant(
        "exit-frees-for-all",
        "exit releases shared memory as often as it has users",
        "                    frames.release(ppn(pte))\n",
        "                    for _ in range(frames.count(ppn(pte))):\n"
        "                        frames.release(ppn(pte))\n",
        (_COUNT, "not-allowed"),
    ),
    Mutant(
        "exit-keeps-execute-only",
        "exit does not release execute-only pages",
        "                if pte & V:\n",
        "                if pte & 2:\n",
        (_COUNT,),
    ),
    Mutant(
        "child-is-dirty",
        "the child's pages have D without a store",
        "pte & FLAGS)",
        "pte & FLAGS | 0x80)",
        ("bits-are-kept",),
    ),
    Mutant(
        "child-is-global",
        "the child's pages have G, so that a TLB uses them for other processes",
        "pte & FLAGS)",
        "pte & FLAGS | 0x20)",
        ("bits-are-kept",),
    ),
    Mutant(
        "first-process-copied",
        "a fork copies the pages of the process that forked first, not its parent's, so that what "
        "was written since is lost",
        "            memory.store(entry, copy_page(memory, frames, pte))\n",
        '            first = globals().setdefault("FIRST", {}).setdefault(address, pte)\n'
        "            memory.store(entry, copy_page(memory, frames, first))\n",
        ("isolation",),
    ),
]

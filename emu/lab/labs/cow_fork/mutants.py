"""Mutants of the lab ``cow-fork``.

Five kinds of them pass the tests of xv6's lab of the same name: a copy_to_user that resolves only
its first page, a kernel that stops or retries forever when a fault finds no frame, frames that are
lost after a failure, executable data, and no reuse by the last user.
"""

from __future__ import annotations

from emu.lab.graded.mutant import Mutant

_SHARE = """    pte = memory.load(entry)
    if pte & W and frames.is_private(ppn(pte)):
        pte = pte & ~W | COW
        memory.store(entry, pte)
    memory.store(child_entry, pte)
    frames.share(ppn(pte))
"""
_FORK = """            child_entry = new_leaf_entry(memory, frames, child, address)
            share_page(memory, frames, entry, child_entry)
"""
_ROLLBACK = """        release_tables(memory, frames, child)
        raise
"""
_FLAGS = "flags = pte & (1 << 10) - 1 & ~COW | W | A | D"
_COPY = """    copy = frames.allocate()
    memory.copy_frame(frame, copy)
    memory.store(entry, make_pte(copy, flags))
    frames.release(frame)
"""
_REUSE = """    if frames.count(frame) == 1:
        memory.store(entry, make_pte(frame, flags))
        return Outcome.REUSED
"""
_RESOLVE = """        if store_fault(memory, frames, root, at) is Outcome.NOT_ALLOWED:
            break
"""
_DIRTY = """        if not pte & D:
            memory.store(entry, pte | A | D)
"""
_COUNT = "count-is-the-number-of-holders"
_SHARED = "shared-is-not-writable"

_FORKS = [
    Mutant(
        "parent-keeps-w",
        "fork removes W from the child's PTE only",
        "        memory.store(entry, pte)\n    memory.store(child_entry, pte)",
        "    memory.store(child_entry, pte)",
        (_SHARED,),
        points_range=(60, 85),
    ),
    Mutant(
        "child-keeps-w",
        "fork removes W from the parent's PTE only",
        _SHARE,
        """    pte = memory.load(entry)
    if pte & W and frames.is_private(ppn(pte)):
        memory.store(entry, pte & ~W | COW)
    memory.store(child_entry, pte)
    frames.share(ppn(pte))
""",
        (_SHARED,),
    ),
    Mutant(
        "w-with-cow",
        "fork sets COW and leaves W",
        "pte = pte & ~W | COW",
        "pte = pte | COW",
        (_SHARED, "cow-is-readable-and-not-writable"),
    ),
    Mutant(
        "not-marked",
        "fork removes W without setting COW",
        "pte = pte & ~W | COW",
        "pte = pte & ~W",
        ("pages-and-mappings-agree",),
    ),
    Mutant(
        "read-only-marked",
        "fork sets COW on read-only pages too, so that the first store makes them writable",
        "if pte & W and frames.is_private(ppn(pte)):",
        "if frames.is_private(ppn(pte)):",
        ("pages-and-mappings-agree",),
        points_range=(65, 90),
    ),
    Mutant(
        "read-only-left-out",
        "fork shares only writable pages, so that a child has no code",
        _FORK,
        "            if not memory.load(entry) & (W | COW):\n                continue\n" + _FORK,
        ("isolation",),
    ),
    Mutant(
        "shared-memory-marked",
        "fork makes shared memory copy-on-write",
        "if pte & W and frames.is_private(ppn(pte)):",
        "if pte & W:",
        ("pages-and-mappings-agree",),
    ),
    Mutant(
        "count-not-incremented",
        "fork does not increment the count",
        "    frames.share(ppn(pte))\n",
        "",
        (_COUNT,),
    ),
    Mutant(
        "count-incremented-twice",
        "fork increments the count by two",
        "    frames.share(ppn(pte))\n",
        "    frames.share(ppn(pte))\n    frames.share(ppn(pte))\n",
        (_COUNT,),
    ),
    Mutant(
        "count-of-writable-only",
        "fork increments only the counts of the pages that it changes",
        "        memory.store(entry, pte)\n    memory.store(child_entry, pte)\n"
        "    frames.share(ppn(pte))\n",
        "        memory.store(entry, pte)\n        frames.share(ppn(pte))\n"
        "    memory.store(child_entry, pte)\n",
        (_COUNT,),
    ),
    Mutant(
        "dirty-lost",
        "fork clears D",
        "pte = pte & ~W | COW",
        "pte = pte & ~W & ~D | COW",
        ("bits-are-kept",),
    ),
    Mutant(
        "written-always",
        "fork writes the parent's PTE even if it does not change",
        "        memory.store(entry, pte)\n    memory.store(child_entry, pte)",
        "    memory.store(entry, pte)\n    memory.store(child_entry, pte)",
        ("exact-pte-writes",),
    ),
    Mutant(
        "copies-eagerly",
        "fork copies what it should share",
        "    memory.store(child_entry, pte)\n    frames.share(ppn(pte))\n",
        """    if frames.is_private(ppn(pte)):
        copy = frames.allocate()
        memory.copy_frame(ppn(pte), copy)
        memory.store(child_entry, make_pte(copy, pte & (1 << 10) - 1))
        return
    memory.store(child_entry, pte)
    frames.share(ppn(pte))
""",
        ("exact-copies",),
    ),
    Mutant(
        "shares-the-table",
        "the child gets the parent's own root",
        "    return child\n",
        "    release_tables(memory, frames, child)\n    frames.share(parent)\n    return parent\n",
        ("wrong-result",),
    ),
    Mutant(
        "shares-the-lower-tables",
        "the child's root has the parent's entries, and so refers to the same tables",
        "        for address, entry, _ in pages(memory, parent):\n" + _FORK,
        """        for index, top in enumerate(memory.table(parent)):
            if top & V:
                memory.store((child << PAGE_SHIFT) + 8 * index, top)
                frames.share(ppn(top))
""",
        ("tables-are-their-spaces-own",),
    ),
    Mutant(
        "first-2-mib-only",
        "fork stops at 2 MiB",
        _FORK,
        "            if address >= 0x20_0000:\n                break\n" + _FORK,
        ("isolation",),
    ),
    Mutant(
        "last-of-a-table-left-out",
        "the last of a table's 512 pages is not shared",
        _FORK,
        "            if address >> 12 & 511 == 511:\n                continue\n" + _FORK,
        ("isolation",),
    ),
    Mutant(
        "no-rollback",
        "a fork that runs out of frames releases nothing",
        _ROLLBACK,
        "        raise\n",
        (_COUNT,),
    ),
    Mutant(
        "tables-not-rolled-back",
        "a fork that runs out of frames does not release the tables of the last level",
        "                    frames.release(ppn(middle))\n",
        "",
        (_COUNT,),
    ),
    Mutant(
        "pages-not-rolled-back",
        "a fork that runs out of frames does not release the pages",
        "                    for pte in memory.table(ppn(middle)):\n"
        "                        if pte & V:\n"
        "                            frames.release(ppn(pte))\n",
        "",
        (_COUNT,),
    ),
    Mutant(
        "rolled-back-too-far",
        "a fork that runs out of frames releases the parent's pages too",
        "        release_tables(memory, frames, child)\n        raise\n",
        "        for _, _, pte in pages(memory, parent):\n"
        "            frames.release(ppn(pte))\n"
        "        release_tables(memory, frames, child)\n        raise\n",
        ("mapped-frames-are-in-use", _COUNT),
    ),
    Mutant(
        "fork-panics",
        "a fork that runs out of frames stops the machine",
        _ROLLBACK,
        '        raise RuntimeError("panic: uvmcopy") from None\n',
        ("raised",),
    ),
]

_FORKS_AGAIN = [
    Mutant(
        "marked-again",
        "a second fork clears COW of pages that were COW already",
        "        memory.store(entry, pte)\n    memory.store(child_entry, pte)",
        "        memory.store(entry, pte)\n"
        "    elif pte & COW and frames.is_private(ppn(pte)):\n"
        "        pte &= ~COW\n"
        "        memory.store(entry, pte)\n"
        "    memory.store(child_entry, pte)",
        ("pages-and-mappings-agree",),
        points_range=(70, 95),
    ),
    Mutant(
        "first-process-shared",
        "a fork shares the pages of the process that forked first, not its parent's, so that what "
        "was written since is lost",
        "            share_page(memory, frames, entry, child_entry)\n",
        '            first = globals().setdefault("FIRST", {}).setdefault(address, entry)\n'
        "            share_page(memory, frames, first, child_entry)\n",
        ("isolation",),
    ),
    Mutant(
        "count-stops-at-255",
        "the count of a frame stops at 255 users",
        "    frames.share(ppn(pte))\n",
        "    if frames.count(ppn(pte)) < 255:\n        frames.share(ppn(pte))\n",
        (_COUNT,),
    ),
]

_FAULTS = [
    Mutant(
        "count-of-a-byte",
        "the last user of a frame is recognised by the low byte of its count",
        "if frames.count(frame) == 1:",
        "if frames.count(frame) & 0xFF == 1:",
        (_SHARED,),
        points_range=(75, 98),
    ),
    Mutant(
        "no-reuse",
        "the last user of a frame copies it",
        _REUSE,
        "",
        ("sole-owner-reuse",),
        points_range=(60, 85),
    ),
    Mutant(
        "reused-too-early",
        "a frame with two users is reused",
        "if frames.count(frame) == 1:",
        "if frames.count(frame) <= 2:",
        (_SHARED,),
    ),
    Mutant(
        "read-only-made-writable",
        "a store to any page without W copies it",
        "    if not pte & COW:\n        return Outcome.NOT_ALLOWED\n",
        "",
        ("read-only-is-kept", "rights-are-the-mappings", "pages-and-mappings-agree"),
    ),
    Mutant(
        "fault-panics",
        "a fault that finds no frame stops the machine",
        "    copy = frames.allocate()\n",
        "    try:\n"
        "        copy = frames.allocate()\n"
        "    except OutOfFrames:\n"
        '        raise RuntimeError("panic: usertrap") from None\n',
        ("raised",),
    ),
    Mutant(
        "retries-forever",
        "a fault that finds no frame returns as if it was repaired",
        "    copy = frames.allocate()\n",
        "    try:\n"
        "        copy = frames.allocate()\n"
        "    except OutOfFrames:\n"
        "        return Outcome.SPURIOUS\n",
        ("fault-is-repaired",),
    ),
    Mutant(
        "waits-forever",
        "a fault that finds no frame retries forever",
        "    copy = frames.allocate()\n",
        "    while True:\n"
        "        try:\n"
        "            copy = frames.allocate()\n"
        "        except OutOfFrames:\n"
        "            continue\n"
        "        break\n",
        ("running-out",),
    ),
    Mutant(
        "released-too-early",
        "the old frame is released before the allocation, and stays mapped if that fails",
        _COPY,
        """    frames.release(frame)
    copy = frames.allocate()
    memory.copy_frame(frame, copy)
    memory.store(entry, make_pte(copy, flags))
""",
        (_COUNT,),
    ),
    Mutant(
        "unmapped-first",
        "the PTE is cleared before the allocation, and stays so if that fails",
        "    copy = frames.allocate()\n",
        "    memory.store(entry, 0)\n    copy = frames.allocate()\n",
        (_COUNT, "exact-pte-writes"),
    ),
    Mutant(
        "frame-lost-on-errors",
        "a frame is allocated before the rights are checked, and lost if the store is not allowed",
        "    if pte & W:\n        return Outcome.SPURIOUS\n",
        "    spare = frames.allocate()\n    if pte & W:\n        return Outcome.SPURIOUS\n",
        (_COUNT,),
    ),
    Mutant(
        "old-frame-kept",
        "the old frame is not released after a copy",
        "    frames.release(frame)\n    return Outcome.COPIED",
        "    return Outcome.COPIED",
        (_COUNT,),
        points_range=(55, 85),
    ),
    Mutant(
        "copy-released",
        "the new frame is released after a copy, not the old one",
        "    frames.release(frame)\n    return Outcome.COPIED",
        "    frames.release(copy)\n    return Outcome.COPIED",
        (_COUNT, "mapped-frames-are-in-use"),
    ),
    Mutant(
        "data-executable",
        "a copied page is executable",
        _FLAGS,
        _FLAGS + " | 0b1000",
        ("rights-are-the-mappings",),
    ),
    Mutant(
        "cow-left-set",
        "COW is not cleared in a writable page",
        _FLAGS,
        "flags = pte & (1 << 10) - 1 | W | A | D",
        ("cow-is-readable-and-not-writable",),
    ),
    Mutant(
        "w-forgotten",
        "the copied page has no W",
        _FLAGS,
        "flags = pte & (1 << 10) - 1 & ~COW | A | D",
        ("pages-and-mappings-agree", "fault-is-repaired"),
    ),
    Mutant(
        "copies-no-bytes",
        "the new frame is mapped with its old bytes",
        "    memory.copy_frame(frame, copy)\n",
        "",
        ("isolation",),
    ),
    Mutant(
        "copies-half-a-page",
        "2,048 bytes are copied",
        "    memory.copy_frame(frame, copy)\n",
        "    memory.write(copy << PAGE_SHIFT, memory.read(frame << PAGE_SHIFT, 2048))\n",
        ("isolation",),
    ),
    Mutant(
        "old-frame-mapped",
        "the frame is copied, but the old one is made writable",
        "    memory.store(entry, make_pte(copy, flags))\n",
        "    memory.store(entry, make_pte(frame, flags))\n",
        (_SHARED, _COUNT),
    ),
    Mutant(
        "wrong-pte",
        "the PTE after the page's own is written",
        "    memory.store(entry, make_pte(copy, flags))\n",
        "    memory.store(entry + 8, make_pte(copy, flags))\n",
        (_COUNT, "isolation", "rights-are-the-mappings", "wrong-result"),
    ),
    Mutant(
        "returns-copied",
        "COPIED is returned for a reused page",
        "return Outcome.REUSED",
        "return Outcome.COPIED",
        ("wrong-result",),
    ),
    Mutant(
        "returns-a-string",
        "the outcome is returned as a string",
        "return Outcome.COPIED",
        'return "copied"',
        ("wrong-result",),
    ),
]

_KERNEL_WRITES = [
    Mutant(
        "kernel-ignores-cow",
        "the kernel writes into the shared frame",
        _RESOLVE,
        "",
        ("isolation",),
    ),
    Mutant(
        "first-page-only",
        "the kernel's write breaks the sharing of its first page only",
        "        if store_fault(memory, frames, root, at) is Outcome.NOT_ALLOWED:\n",
        "        if not done and store_fault(memory, frames, root, at) is Outcome.NOT_ALLOWED:\n",
        ("isolation",),
    ),
    Mutant(
        "whole-pages-only",
        "the kernel's write breaks the sharing every 4,096 bytes from where it begins, which "
        "misses its last page",
        _RESOLVE,
        """        if (not done or done >= PAGE_SIZE) and (
            store_fault(memory, frames, root, at) is Outcome.NOT_ALLOWED
        ):
            break
""",
        ("isolation",),
    ),
    Mutant(
        "kernel-ignores-rights",
        "the kernel writes read-only pages",
        "            break\n",
        "            pass\n",
        ("isolation", "right-outcome", "kernel-write-stops"),
    ),
    Mutant(
        "physically-contiguous",
        "the kernel's write continues in the next frame, not in the frame of the next page",
        "size = min(len(data) - done, PAGE_SIZE - (at & PAGE_MASK))",
        "size = len(data) - done",
        ("raised",),
    ),
    Mutant(
        "offset-lost",
        "the kernel writes at the start of the page",
        "memory.write((ppn(pte) << PAGE_SHIFT) + (at & PAGE_MASK),",
        "memory.write((ppn(pte) << PAGE_SHIFT),",
        ("isolation", "raised"),
    ),
    Mutant(
        "kernel-leaves-clean",
        "the kernel's write does not set D",
        _DIRTY,
        "",
        ("bits-are-kept",),
    ),
    Mutant(
        "short-count",
        "the kernel's write returns at most the size of a page",
        "    return done\n",
        "    return min(done, PAGE_SIZE)\n",
        ("wrong-result",),
    ),
    Mutant(
        "no-memory-is-a-short-write",
        "a kernel's write that finds no frame is a short write",
        _RESOLVE,
        """        try:
            if store_fault(memory, frames, root, at) is Outcome.NOT_ALLOWED:
                break
        except OutOfFrames:
            break
""",
        ("wrong-result",),
    ),
]

_OTHER_BITS = [
    Mutant(
        "copy-not-executable",
        "a store to a writable and executable page clears X",
        "& ~COW | W | A | D",
        "& ~COW & ~8 | W | A | D",
        ("other-rights",),
    ),
    Mutant(
        "copy-is-global",
        "a copied page has G, so that a TLB uses it for other processes",
        "& ~COW | W | A | D",
        "& ~COW | W | A | D | 0x20",
        ("bits-are-kept",),
    ),
    Mutant(
        "execute-only-left-out",
        "execute-only pages are not shared",
        "    pte = memory.load(entry)\n    if pte & W and",
        "    pte = memory.load(entry)\n    if not pte & 2:\n        return\n    if pte & W and",
        ("other-rights",),
    ),
]

MUTANTS = [*_FORKS, *_FORKS_AGAIN, *_FAULTS, *_KERNEL_WRITES, *_OTHER_BITS]

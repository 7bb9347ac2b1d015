"""Wrong solutions of the lab ``cow-fork``, and by what each is told.

Five kinds of them pass the tests that come with xv6's lab of this name: a copy_to_user that
resolves its first page only, a kernel that stops, or tries for ever, when memory runs out in the
fault, frames lost where something fails, data that may be executed, and no reuse by the last user.
"""

from __future__ import annotations

from emu.lab.graded.mutant import WrongSolution

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
    WrongSolution(
        "parent-keeps-w",
        "fork takes W from the child's PTE alone",
        "        memory.store(entry, pte)\n    memory.store(child_entry, pte)",
        "    memory.store(child_entry, pte)",
        (_SHARED,),
        left=(60, 85),
    ),
    WrongSolution(
        "child-keeps-w",
        "fork takes W from the parent's PTE alone",
        _SHARE,
        """    pte = memory.load(entry)
    if pte & W and frames.is_private(ppn(pte)):
        memory.store(entry, pte & ~W | COW)
    memory.store(child_entry, pte)
    frames.share(ppn(pte))
""",
        (_SHARED,),
    ),
    WrongSolution(
        "w-with-cow",
        "fork sets COW and leaves W",
        "pte = pte & ~W | COW",
        "pte = pte | COW",
        (_SHARED, "cow-is-readable-and-not-writable"),
    ),
    WrongSolution(
        "not-marked",
        "fork takes W and sets no COW",
        "pte = pte & ~W | COW",
        "pte = pte & ~W",
        ("pages-and-mappings-agree",),
    ),
    WrongSolution(
        "read-only-marked",
        "fork sets COW on read-only pages too, so that the first store makes them writable",
        "if pte & W and frames.is_private(ppn(pte)):",
        "if frames.is_private(ppn(pte)):",
        ("pages-and-mappings-agree",),
        left=(65, 90),
    ),
    WrongSolution(
        "read-only-left-out",
        "fork shares only what may be stored to, and a child has no code",
        _FORK,
        "            if not memory.load(entry) & (W | COW):\n                continue\n" + _FORK,
        ("isolation",),
    ),
    WrongSolution(
        "shared-memory-marked",
        "fork makes shared memory copy-on-write",
        "if pte & W and frames.is_private(ppn(pte)):",
        "if pte & W:",
        ("pages-and-mappings-agree",),
    ),
    WrongSolution(
        "count-not-raised",
        "fork counts no user more",
        "    frames.share(ppn(pte))\n",
        "",
        (_COUNT,),
    ),
    WrongSolution(
        "count-raised-twice",
        "fork counts two users more",
        "    frames.share(ppn(pte))\n",
        "    frames.share(ppn(pte))\n    frames.share(ppn(pte))\n",
        (_COUNT,),
    ),
    WrongSolution(
        "count-of-writable-only",
        "fork counts a user more of the pages that it changes",
        "        memory.store(entry, pte)\n    memory.store(child_entry, pte)\n"
        "    frames.share(ppn(pte))\n",
        "        memory.store(entry, pte)\n        frames.share(ppn(pte))\n"
        "    memory.store(child_entry, pte)\n",
        (_COUNT,),
    ),
    WrongSolution(
        "dirty-lost",
        "fork clears D",
        "pte = pte & ~W | COW",
        "pte = pte & ~W & ~D | COW",
        ("bits-are-kept",),
    ),
    WrongSolution(
        "written-always",
        "fork writes the parent's PTE where it stays as it is",
        "        memory.store(entry, pte)\n    memory.store(child_entry, pte)",
        "    memory.store(entry, pte)\n    memory.store(child_entry, pte)",
        ("exact-pte-writes",),
    ),
    WrongSolution(
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
    WrongSolution(
        "shares-the-table",
        "the child gets the parent's own root",
        "    return child\n",
        "    release_tables(memory, frames, child)\n    frames.share(parent)\n    return parent\n",
        ("wrong-result",),
    ),
    WrongSolution(
        "shares-the-lower-tables",
        "the child's root has the parent's entries, and so leads to the same tables",
        "        for address, entry, _ in pages(memory, parent):\n" + _FORK,
        """        for index, top in enumerate(memory.table(parent)):
            if top & V:
                memory.store((child << PAGE_SHIFT) + 8 * index, top)
                frames.share(ppn(top))
""",
        ("tables-are-their-spaces-own",),
    ),
    WrongSolution(
        "first-2-mib-only",
        "fork stops at 2 MiB, one page too early to notice",
        _FORK,
        "            if address >= 0x20_0000:\n                break\n" + _FORK,
        ("isolation",),
    ),
    WrongSolution(
        "last-of-a-table-left-out",
        "the last of a table's 512 pages is not shared",
        _FORK,
        "            if address >> 12 & 511 == 511:\n                continue\n" + _FORK,
        ("isolation",),
    ),
    WrongSolution(
        "no-rollback",
        "a fork that runs out keeps its tables and its shares",
        _ROLLBACK,
        "        raise\n",
        (_COUNT,),
    ),
    WrongSolution(
        "tables-not-rolled-back",
        "a fork that runs out forgets the tables of the last level",
        "                    frames.release(ppn(middle))\n",
        "",
        (_COUNT,),
    ),
    WrongSolution(
        "pages-not-rolled-back",
        "a fork that runs out takes its users from no page",
        "                    for pte in memory.table(ppn(middle)):\n"
        "                        if pte & V:\n"
        "                            frames.release(ppn(pte))\n",
        "",
        (_COUNT,),
    ),
    WrongSolution(
        "rolled-back-too-far",
        "a fork that runs out releases the parent's pages as well",
        "        release_tables(memory, frames, child)\n        raise\n",
        "        for _, _, pte in pages(memory, parent):\n"
        "            frames.release(ppn(pte))\n"
        "        release_tables(memory, frames, child)\n        raise\n",
        ("mapped-frames-are-in-use", _COUNT),
    ),
    WrongSolution(
        "fork-panics",
        "a fork that runs out stops the machine",
        _ROLLBACK,
        '        raise RuntimeError("panic: uvmcopy") from None\n',
        ("raised",),
    ),
]

_FORKS_AGAIN = [
    WrongSolution(
        "marked-anew",
        "a second fork marks by W alone, and loses pages that were COW already",
        "        memory.store(entry, pte)\n    memory.store(child_entry, pte)",
        "        memory.store(entry, pte)\n"
        "    elif pte & COW and frames.is_private(ppn(pte)):\n"
        "        pte &= ~COW\n"
        "        memory.store(entry, pte)\n"
        "    memory.store(child_entry, pte)",
        ("pages-and-mappings-agree",),
        left=(70, 95),
    ),
    WrongSolution(
        "first-process-shared",
        "a fork shares the pages of the process that forked first, not its parent's, so that what "
        "was written since is lost",
        "            share_page(memory, frames, entry, child_entry)\n",
        '            first = globals().setdefault("FIRST", {}).setdefault(address, entry)\n'
        "            share_page(memory, frames, first, child_entry)\n",
        ("isolation",),
    ),
    WrongSolution(
        "count-stops-at-255",
        "the count of a frame stops at 255 users",
        "    frames.share(ppn(pte))\n",
        "    if frames.count(ppn(pte)) < 255:\n        frames.share(ppn(pte))\n",
        (_COUNT,),
    ),
]

_FAULTS = [
    WrongSolution(
        "count-of-a-byte",
        "the last user of a frame is recognised by the low byte of its count",
        "if frames.count(frame) == 1:",
        "if frames.count(frame) & 0xFF == 1:",
        (_SHARED,),
        left=(75, 98),
    ),
    WrongSolution(
        "no-reuse",
        "the last user of a frame copies it",
        _REUSE,
        "",
        ("sole-owner-reuse",),
        left=(60, 85),
    ),
    WrongSolution(
        "reused-too-early",
        "a frame with two users is taken over",
        "if frames.count(frame) == 1:",
        "if frames.count(frame) <= 2:",
        (_SHARED,),
    ),
    WrongSolution(
        "read-only-made-writable",
        "a store to any page without W gets it a copy",
        "    if not pte & COW:\n        return Outcome.NOT_ALLOWED\n",
        "",
        ("read-only-is-kept", "rights-are-the-mappings", "pages-and-mappings-agree"),
    ),
    WrongSolution(
        "fault-panics",
        "a fault that finds no frame stops the machine",
        "    copy = frames.allocate()\n",
        "    try:\n"
        "        copy = frames.allocate()\n"
        "    except OutOfFrames:\n"
        '        raise RuntimeError("panic: usertrap") from None\n',
        ("raised",),
    ),
    WrongSolution(
        "retries-for-ever",
        "a fault that finds no frame lets the process try again",
        "    copy = frames.allocate()\n",
        "    try:\n"
        "        copy = frames.allocate()\n"
        "    except OutOfFrames:\n"
        "        return Outcome.SPURIOUS\n",
        ("fault-is-repaired",),
    ),
    WrongSolution(
        "waits-for-ever",
        "a fault that finds no frame asks until there is one",
        "    copy = frames.allocate()\n",
        "    while True:\n"
        "        try:\n"
        "            copy = frames.allocate()\n"
        "        except OutOfFrames:\n"
        "            continue\n"
        "        break\n",
        ("running-out",),
    ),
    WrongSolution(
        "released-too-early",
        "the old frame is released before there is a new one, and stays mapped when there is none",
        _COPY,
        """    frames.release(frame)
    copy = frames.allocate()
    memory.copy_frame(frame, copy)
    memory.store(entry, make_pte(copy, flags))
""",
        (_COUNT,),
    ),
    WrongSolution(
        "unmapped-first",
        "the PTE is cleared before there is a new frame, and stays so when there is none",
        "    copy = frames.allocate()\n",
        "    memory.store(entry, 0)\n    copy = frames.allocate()\n",
        (_COUNT, "exact-pte-writes"),
    ),
    WrongSolution(
        "frame-lost-on-errors",
        "a frame is taken before it is known whether the store is allowed",
        "    if pte & W:\n        return Outcome.SPURIOUS\n",
        "    spare = frames.allocate()\n    if pte & W:\n        return Outcome.SPURIOUS\n",
        (_COUNT,),
    ),
    WrongSolution(
        "old-frame-kept",
        "after a copy the old frame keeps its user",
        "    frames.release(frame)\n    return Outcome.COPIED",
        "    return Outcome.COPIED",
        (_COUNT,),
        left=(55, 85),
    ),
    WrongSolution(
        "copy-released",
        "after a copy the new frame is released, not the old one",
        "    frames.release(frame)\n    return Outcome.COPIED",
        "    frames.release(copy)\n    return Outcome.COPIED",
        (_COUNT, "mapped-frames-are-in-use"),
    ),
    WrongSolution(
        "data-executable",
        "a page that was copied may be executed",
        _FLAGS,
        _FLAGS + " | 0b1000",
        ("rights-are-the-mappings",),
    ),
    WrongSolution(
        "cow-left-set",
        "a page that may be stored to is still marked",
        _FLAGS,
        "flags = pte & (1 << 10) - 1 | W | A | D",
        ("cow-is-readable-and-not-writable",),
    ),
    WrongSolution(
        "w-forgotten",
        "the page is copied, and still may not be stored to",
        _FLAGS,
        "flags = pte & (1 << 10) - 1 & ~COW | A | D",
        ("pages-and-mappings-agree", "fault-is-repaired"),
    ),
    WrongSolution(
        "copies-no-bytes",
        "the new frame is mapped with what was in it",
        "    memory.copy_frame(frame, copy)\n",
        "",
        ("isolation",),
    ),
    WrongSolution(
        "copies-half-a-page",
        "2,048 bytes are copied",
        "    memory.copy_frame(frame, copy)\n",
        "    memory.write(copy << PAGE_SHIFT, memory.read(frame << PAGE_SHIFT, 2048))\n",
        ("isolation",),
    ),
    WrongSolution(
        "old-frame-mapped",
        "the frame is copied, and the old one made writable",
        "    memory.store(entry, make_pte(copy, flags))\n",
        "    memory.store(entry, make_pte(frame, flags))\n",
        (_SHARED, _COUNT),
    ),
    WrongSolution(
        "wrong-pte",
        "the PTE after the page's own is written",
        "    memory.store(entry, make_pte(copy, flags))\n",
        "    memory.store(entry + 8, make_pte(copy, flags))\n",
        (_COUNT, "isolation", "rights-are-the-mappings", "wrong-result"),
    ),
    WrongSolution(
        "says-copied",
        "a page that is taken over is told as a copy",
        "return Outcome.REUSED",
        "return Outcome.COPIED",
        ("wrong-result",),
    ),
    WrongSolution(
        "tells-a-word",
        "the outcome is told as a string",
        "return Outcome.COPIED",
        'return "copied"',
        ("wrong-result",),
    ),
]

_KERNEL_WRITES = [
    WrongSolution(
        "kernel-ignores-cow",
        "the kernel writes into the shared frame",
        _RESOLVE,
        "",
        ("isolation",),
    ),
    WrongSolution(
        "first-page-only",
        "the kernel's write breaks the sharing of its first page alone",
        "        if store_fault(memory, frames, root, at) is Outcome.NOT_ALLOWED:\n",
        "        if not done and store_fault(memory, frames, root, at) is Outcome.NOT_ALLOWED:\n",
        ("isolation",),
    ),
    WrongSolution(
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
    WrongSolution(
        "kernel-ignores-rights",
        "the kernel writes read-only pages",
        "            break\n",
        "            pass\n",
        ("isolation", "right-outcome", "kernel-write-stops"),
    ),
    WrongSolution(
        "physically-contiguous",
        "the kernel's write goes on in the next frame, not in the next page",
        "size = min(len(data) - done, PAGE_SIZE - (at & PAGE_MASK))",
        "size = len(data) - done",
        ("raised",),
    ),
    WrongSolution(
        "offset-lost",
        "the kernel writes at the page's start",
        "memory.write((ppn(pte) << PAGE_SHIFT) + (at & PAGE_MASK),",
        "memory.write((ppn(pte) << PAGE_SHIFT),",
        ("isolation", "raised"),
    ),
    WrongSolution(
        "kernel-leaves-clean",
        "the kernel's write sets no D",
        _DIRTY,
        "",
        ("bits-are-kept",),
    ),
    WrongSolution(
        "short-count",
        "the kernel's write tells the bytes of its last page",
        "    return done\n",
        "    return min(done, PAGE_SIZE)\n",
        ("wrong-result",),
    ),
    WrongSolution(
        "no-memory-is-a-short-write",
        "a kernel's write that finds no frame just stops",
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
    WrongSolution(
        "copy-not-executable",
        "a page that may be stored to and executed loses X by a store",
        "& ~COW | W | A | D",
        "& ~COW & ~8 | W | A | D",
        ("other-rights",),
    ),
    WrongSolution(
        "copy-is-global",
        "a page that was copied has G, so a TLB keeps it for the next process",
        "& ~COW | W | A | D",
        "& ~COW | W | A | D | 0x20",
        ("bits-are-kept",),
    ),
    WrongSolution(
        "execute-only-left-out",
        "a page without R is not shared, and a page may have X alone",
        "    pte = memory.load(entry)\n    if pte & W and",
        "    pte = memory.load(entry)\n    if not pte & 2:\n        return\n    if pte & W and",
        ("other-rights",),
    ),
]

WRONG = [*_FORKS, *_FORKS_AGAIN, *_FAULTS, *_KERNEL_WRITES, *_OTHER_BITS]

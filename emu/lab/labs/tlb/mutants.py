"""Mutants of the lab ``tlb``."""

from __future__ import annotations

from emu.lab.graded.mutant import Mutant

_NEEDED = "    if not before & V or not takes_away(before, change.after):\n        return []\n"
_RETURN = "    return [Fence(hart, asid, address) for hart in change.harts]"
_ADDRESS = "address = change.address if is_leaf(before) else None"
_ASID = "asid = None if before & G else change.asid"
_LOSES = "return ppn(before) != ppn(after) or bool(before & ~after & RIGHTS)"
_POINTER = "        return before & ~SOFTWARE != after & ~SOFTWARE\n"
_SWITCH = (
    "    if switch.last_space is None or switch.last_space == switch.space:\n        return []\n"
)

MUTANTS = [
    Mutant(
        "never",
        "no change is ever fenced",
        _RETURN,
        "    return []",
        ("fork", "copy-on-write", "munmap", "isolation"),
    ),
    Mutant(
        "this-hart-only",
        "only the hart on which the kernel runs is fenced",
        _RETURN,
        "    return [Fence(change.here, asid, address)]",
        ("fork", "munmap"),
        points_range=(50, 75),
    ),
    Mutant(
        "other-harts-only",
        "the kernel's own hart is not fenced, as with an IPI to the others",
        _RETURN,
        "    return [Fence(hart, asid, address) for hart in change.harts if hart != change.here]",
        ("fork", "munmap"),
    ),
    Mutant(
        "copy-adds-w",
        "a page that gains W is not fenced, whatever its frame",
        _LOSES,
        "return (ppn(before) != ppn(after) and not after & ~before & W) or bool(\n"
        "            before & ~after & RIGHTS\n        )",
        ("copy-on-write",),
    ),
    Mutant(
        "only-unmapped",
        "only PTEs that become invalid are fenced",
        _NEEDED,
        "    if not before & V or change.after & V:\n        return []\n",
        ("fork", "mprotect"),
    ),
    Mutant(
        "only-w",
        "of the rights only W is compared",
        "RIGHTS = V | R | W | X | U | D | G",
        "RIGHTS = V | W | D",
        ("mprotect",),
    ),
    Mutant(
        "dirty-is-no-right",
        "D is not compared as a right",
        "RIGHTS = V | R | W | X | U | D | G",
        "RIGHTS = V | R | W | X | U | G",
        ("write-back",),
        points_range=(70, 90),
    ),
    Mutant(
        "pointer-by-address",
        "a pointer is fenced by an address, like a page",
        _ADDRESS,
        "address = change.address",
        ("table-freed", "superpage-made"),
        points_range=(60, 80),
    ),
    Mutant(
        "pointer-by-after",
        "the new PTE, not the old one, decides whether it is a pointer",
        _ADDRESS,
        "address = change.address if is_leaf(change.after) else None",
        ("superpage-made", "one-page"),
    ),
    Mutant(
        "leaves-only",
        "pointers are not fenced",
        _POINTER,
        "        return False\n",
        ("table-freed", "superpage-made"),
    ),
    Mutant(
        "split-is-no-change",
        "a superpage that is split is not fenced",
        _LOSES,
        "return (is_leaf(after) and ppn(before) != ppn(after)) or (\n"
        "        not after & V or (is_leaf(after) and bool(before & ~after & RIGHTS))\n    )",
        ("superpage-split",),
    ),
    Mutant(
        "global-by-asid",
        "a global page is fenced with an ASID",
        _ASID,
        "asid = change.asid",
        ("global-page",),
    ),
    Mutant(
        "asid-is-never-reused",
        "an ASID that another address space had before is used without a fence",
        "    return [Fence(switch.hart, switch.asid)]",
        "    return []",
        ("asid-reuse", "no-asids", "fork-tree"),
    ),
    Mutant(
        "every-switch",
        "every switch flushes the ASID",
        _SWITCH,
        "",
        ("switches",),
    ),
    Mutant(
        "everything",
        "every fence flushes everything",
        _RETURN,
        "    return [Fence(hart) for hart in change.harts]",
        ("one-page", "every-change"),
    ),
    Mutant(
        "whole-asid",
        "a fence for a page flushes its whole address space",
        _ADDRESS,
        "address = None",
        ("one-page", "every-change"),
    ),
    Mutant(
        "all-asids",
        "a fence for a page flushes it in every address space",
        _ASID,
        "asid = None",
        ("one-page", "every-change"),
    ),
    Mutant(
        "every-change",
        "a change that only adds rights is fenced",
        _NEEDED,
        "    if not before & V:\n        return []\n",
        ("rights-added",),
    ),
    Mutant(
        "cow-is-a-right",
        "COW is compared as a right",
        "RIGHTS = V | R | W | X | U | D | G",
        "RIGHTS = V | R | W | X | U | D | G | 3 << 8",
        ("rights-added",),
    ),
    Mutant(
        "this-hart-too",
        "the kernel's own hart is fenced even if it cannot have cached the PTE",
        _RETURN,
        "    return [Fence(hart, asid, address) for hart in {*change.harts, change.here}]",
        ("which-harts",),
    ),
]

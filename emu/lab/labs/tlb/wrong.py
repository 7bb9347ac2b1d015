"""Wrong solutions of the lab ``tlb``."""

from __future__ import annotations

from emu.lab.graded.mutant import WrongSolution

_NEEDED = "    if not before & V or not takes_away(before, change.after):\n        return []\n"
_RETURN = "    return [Fence(hart, asid, address) for hart in change.harts]"
_ADDRESS = "address = change.address if is_leaf(before) else None"
_ASID = "asid = None if before & G else change.asid"
_LOSES = "return ppn(before) != ppn(after) or bool(before & ~after & RIGHTS)"
_POINTER = "        return before & ~SOFTWARE != after & ~SOFTWARE\n"
_SWITCH = (
    "    if switch.last_space is None or switch.last_space == switch.space:\n        return []\n"
)

WRONG = [
    WrongSolution(
        "never",
        "no change is ever fenced",
        _RETURN,
        "    return []",
        ("fork", "copy-on-write", "munmap", "isolation"),
    ),
    WrongSolution(
        "this-hart-only",
        "only the hart on which the kernel runs is fenced",
        _RETURN,
        "    return [Fence(change.here, asid, address)]",
        ("fork", "munmap"),
        left=(50, 75),
    ),
    WrongSolution(
        "other-harts-only",
        "the kernel's own hart is left out, as an IPI to the others does",
        _RETURN,
        "    return [Fence(hart, asid, address) for hart in change.harts if hart != change.here]",
        ("fork", "munmap"),
    ),
    WrongSolution(
        "copy-adds-w",
        "a page that gains W is thought to lose nothing, whatever its frame",
        _LOSES,
        "return (ppn(before) != ppn(after) and not after & ~before & W) or bool(\n"
        "            before & ~after & RIGHTS\n        )",
        ("copy-on-write",),
    ),
    WrongSolution(
        "only-unmapped",
        "only what becomes invalid is fenced",
        _NEEDED,
        "    if not before & V or change.after & V:\n        return []\n",
        ("fork", "mprotect"),
    ),
    WrongSolution(
        "only-w",
        "of the rights only W is thought of",
        "RIGHTS = V | R | W | X | U | D | G",
        "RIGHTS = V | W | D",
        ("mprotect",),
    ),
    WrongSolution(
        "dirty-is-no-right",
        "D is thought to be a note and no right",
        "RIGHTS = V | R | W | X | U | D | G",
        "RIGHTS = V | R | W | X | U | G",
        ("write-back",),
        left=(70, 90),
    ),
    WrongSolution(
        "pointer-by-address",
        "a pointer is fenced by an address, like a page",
        _ADDRESS,
        "address = change.address",
        ("table-freed", "superpage-made"),
        left=(60, 80),
    ),
    WrongSolution(
        "pointer-by-after",
        "whether it is a pointer is asked of the new PTE, not of the old one",
        _ADDRESS,
        "address = change.address if is_leaf(change.after) else None",
        ("superpage-made", "one-page"),
    ),
    WrongSolution(
        "leaves-only",
        "pointers are not thought to be remembered",
        _POINTER,
        "        return False\n",
        ("table-freed", "superpage-made"),
    ),
    WrongSolution(
        "split-is-no-change",
        "a superpage that is split is thought to map the same as before",
        _LOSES,
        "return (is_leaf(after) and ppn(before) != ppn(after)) or (\n"
        "        not after & V or (is_leaf(after) and bool(before & ~after & RIGHTS))\n    )",
        ("superpage-split",),
    ),
    WrongSolution(
        "global-by-asid",
        "a global page is fenced with an ASID",
        _ASID,
        "asid = change.asid",
        ("global-page",),
    ),
    WrongSolution(
        "asid-is-never-reused",
        "an ASID that another had before is taken over unseen",
        "    return [Fence(switch.hart, switch.asid)]",
        "    return []",
        ("asid-reuse", "no-asids", "fork-tree"),
    ),
    WrongSolution(
        "every-switch",
        "every switch empties the TLB",
        _SWITCH,
        "",
        ("switches",),
    ),
    WrongSolution(
        "everything",
        "every fence forgets everything",
        _RETURN,
        "    return [Fence(hart) for hart in change.harts]",
        ("one-page", "every-change"),
    ),
    WrongSolution(
        "whole-asid",
        "for a page its whole address space is forgotten",
        _ADDRESS,
        "address = None",
        ("one-page", "every-change"),
    ),
    WrongSolution(
        "all-asids",
        "a page is forgotten in every address space",
        _ASID,
        "asid = None",
        ("one-page", "every-change"),
    ),
    WrongSolution(
        "every-change",
        "a change is fenced that only added rights",
        _NEEDED,
        "    if not before & V:\n        return []\n",
        ("rights-added",),
    ),
    WrongSolution(
        "cow-is-a-right",
        "COW is compared like a right that a hart knows of",
        "RIGHTS = V | R | W | X | U | D | G",
        "RIGHTS = V | R | W | X | U | D | G | 3 << 8",
        ("rights-added",),
    ),
    WrongSolution(
        "this-hart-too",
        "the kernel's own hart is fenced even where it can't remember",
        _RETURN,
        "    return [Fence(hart, asid, address) for hart in {*change.harts, change.here}]",
        ("which-harts",),
    ),
]

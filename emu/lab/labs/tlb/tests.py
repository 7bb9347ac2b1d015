"""The graded tests of the lab ``tlb``."""

from __future__ import annotations

from collections.abc import Iterator

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.submission import Test
from emu.lab.kit import COW, PteChange, Switch
from emu.lab.labs.tlb.model import start_states
from emu.lab.labs.tlb.model.events import KERNEL_PAGE, RIGHTS, USER_PAGE
from emu.lab.labs.tlb.model.fence_rules import is_optional, needed_fences
from emu.lab.labs.tlb.model.start_states import HUGE, KERNEL, PAGE
from emu.lab.labs.tlb.model.test_kinds import Case, Exact, NoHarm
from emu.machine.pte import RSW1, A, D, G, R, U, V, W, X, make_pte

_FRAME, _OTHER_FRAME, _TABLE = 0x80231, 0x80245, 0x80250
_SHARED = V | R | U | A | D | COW
_MISS = "a hart with fewer rights cached reads the page table again"


def _change(
    before: int,
    after: int,
    level: int = 0,
    harts: tuple[int, ...] = (0, 1),
    here: int = 0,
    address: int = PAGE,
) -> PteChange:
    return PteChange(address, level, 1, before, after, harts, here)


def _page(flags: int, frame: int = _FRAME) -> int:
    return make_pte(frame, flags)


_RIGHTS_ADDED = [
    Case(_change(0, _page(USER_PAGE)), "the old PTE was invalid: no hart can cache it"),
    Case(_change(_page(RIGHTS["r--"]), _page(USER_PAGE)), f"rights were only added: {_MISS}"),
    Case(_change(_page(_SHARED), _page(USER_PAGE)), f"the frame was reused: {_MISS}"),
    Case(_change(_page(RIGHTS["r--"]), _page(RIGHTS["r-x"])), f"X was only added: {_MISS}"),
    Case(_change(_page(_SHARED), _page(_SHARED & ~COW)), "harts ignore RSW, which contains COW"),
    Case(_change(0, _page(V, _TABLE), 1, address=HUGE), "there was no pointer before"),
    Case(
        _change(_page(_SHARED), _page(USER_PAGE, _OTHER_FRAME)),
        "the page has another frame: a hart with the old PTE would read the old frame",
    ),
]
_ONE_PAGE = [
    Case(_change(_page(USER_PAGE), _page(_SHARED)), "one page changed: the others are valid"),
    Case(_change(_page(USER_PAGE), 0), "one page changed: the others are valid"),
    Case(
        _change(make_pte(0x80400, USER_PAGE), make_pte(0x80400, _SHARED), 1, address=HUGE),
        "a superpage is one leaf PTE: one address of it is enough",
    ),
    Case(
        _change(make_pte(0x80400, USER_PAGE), _page(V, _TABLE), 1, address=HUGE),
        "the cached PTE is the superpage, a leaf: one address of it is enough",
    ),
    Case(
        _change(_page(KERNEL_PAGE), 0, address=KERNEL),
        "a global page: one address, in every ASID",
    ),
]
_WHICH_HARTS = [
    Case(_change(_page(USER_PAGE), 0, harts=()), "no hart can cache it: it has not run yet"),
    Case(_change(_page(USER_PAGE), 0, harts=(1,), here=0), "only hart 1 may have cached it"),
    Case(_change(_page(USER_PAGE), 0, harts=(0, 2), here=0), "harts 0 and 2 may have cached it"),
    Case(
        _change(_page(V, _TABLE), 0, 1, harts=(1, 3), here=2, address=HUGE),
        "harts 1 and 3 may have cached the pointer",
    ),
]
_SWITCHES = [
    Case(Switch(0, 1, 7, None), "the hart has no entries with this ASID"),
    Case(Switch(0, 1, 7, 7), "the hart's entries belong to this address space"),
    Case(Switch(1, 2, 9, 7), "hart 1's entries with ASID 2 belong to address space 7"),
    Case(Switch(0, 0, 3, 2), "the hart's entries with ASID 0 belong to address space 2"),
    Case(Switch(1, 0, 3, 3), "the hart's entries belong to this address space"),
]


def _every_change() -> Iterator[Case]:
    """All pairs of some kinds of PTEs, those with the fewest different bits first."""
    flags = [0, _SHARED, RSW1 | _SHARED, KERNEL_PAGE, KERNEL_PAGE & ~G, USER_PAGE & ~D, V | X | A]
    flags += [USER_PAGE, V | R | X | U | A, V | R | W | X | U | A | D, *RIGHTS.values()]
    ptes = [_page(f, frame) for f in flags if f for frame in (0x80400, 0x80600)]
    ptes += [0, _page(V, _TABLE), _page(V, _TABLE + 1)]
    pairs = [(before, after) for before in ptes for after in ptes if before != after]
    pairs.sort(key=lambda pair: (pair[0] ^ pair[1]).bit_count())
    for before, after in pairs:
        for level in (0, 1):
            pointers = not level and any(pte & 0xFF == V for pte in (before, after))
            change = _change(before, after, level, (0, 2), 2, HUGE)
            if not pointers and not is_optional(change):
                yield Case(change, _why(change))


def _why(change: PteChange) -> str:
    due = needed_fences(change)
    if not due:
        return f"no right was removed: {_MISS}"
    if due[0].address is None:
        return "a pointer changed, and with it all PTEs below it"
    return "the page lost a right or its frame, or was global"


TESTS: list[Test] = [
    NoHarm(
        "fork",
        "after fork has removed W, can the parent still store on any hart?",
        start_states.forking,
        depth=8,
        points=7,
        asks_about_harts=True,
    ),
    NoHarm(
        "copy-on-write",
        "after a store has copied a page, does any hart still use the old frame?",
        start_states.sharing,
        depth=8,
        points=7,
    ),
    NoHarm(
        "mprotect",
        "does every hart lose the rights that mprotect removes?",
        start_states.protecting,
        depth=6,
    ),
    NoHarm(
        "munmap",
        "can a hart access a released frame after it was allocated again?",
        start_states.unmapping,
        depth=7,
        points=6,
        asks_about_harts=True,
    ),
    NoHarm(
        "asid-reuse",
        "is a process isolated from the one that had its ASID before?",
        start_states.reusing_asids,
        depth=8,
    ),
    NoHarm(
        "no-asids",
        "are processes isolated on a machine without ASIDs?",
        start_states.without_asids,
        depth=7,
    ),
    NoHarm(
        "table-freed",
        "after a leaf table was unlinked and released, does a hart still walk through it?",
        start_states.unlinking,
        depth=7,
    ),
    NoHarm(
        "superpage-split",
        "after a superpage was split, does a hart still use it?",
        start_states.splitting,
        depth=7,
    ),
    NoHarm(
        "superpage-made",
        "after pages became a superpage, does a hart still use their table?",
        start_states.collapsing,
        depth=7,
    ),
    NoHarm(
        "write-back",
        "after D was cleared, does the next store set it again?",
        start_states.cleaning,
        depth=6,
    ),
    NoHarm(
        "global-page",
        "is a page that the kernel unmaps for itself unmapped in every address space?",
        start_states.freeing_kernel_pages,
        depth=7,
    ),
    NoHarm("together", "are all these events together harmless?", start_states.everything, depth=5),
    Exact("rights-added", "does an added right require no fence?", _RIGHTS_ADDED),
    Exact("one-page", "is only the changed page flushed?", _ONE_PAGE),
    Exact("which-harts", "are only the harts fenced that may have cached the PTE?", _WHICH_HARTS),
    Exact("switches", "does a switch flush no more than necessary?", _SWITCHES),
    Exact(
        "every-change",
        "are the fences for every kind of change exact?",
        list(_every_change()),
    ),
    GuestProgram(
        "isolation",
        "do processes see only their own stores on a TLB that keeps entries until a fence?",
        "isolation",
    ),
    GuestProgram(
        "fork-tree",
        "does a tree of processes run correctly on such a TLB, with few ASIDs?",
        "fork_tree",
    ),
]

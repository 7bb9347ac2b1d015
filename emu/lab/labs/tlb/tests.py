"""The graded tests of the lab ``tlb``."""

from __future__ import annotations

from collections.abc import Iterator

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.submission import Test
from emu.lab.kit import COW, PteChange, Switch
from emu.lab.labs.tlb.model import start_states
from emu.lab.labs.tlb.model.events import KERNEL_PAGE, RIGHTS, USER_PAGE
from emu.lab.labs.tlb.model.fence_rules import is_open, needed
from emu.lab.labs.tlb.model.start_states import HUGE, KERNEL, PAGE
from emu.lab.labs.tlb.model.test_kinds import Case, Exact, NoHarm
from emu.machine.pte import RSW1, A, D, G, R, U, V, W, X, make_pte

_FRAME, _OTHER_FRAME, _TABLE = 0x80231, 0x80245, 0x80250
_SHARED = V | R | U | A | D | COW
_MISS = "a hart that remembers less faults, and looks again"


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
    Case(_change(0, _page(USER_PAGE)), "it was invalid: no hart can remember it"),
    Case(_change(_page(RIGHTS["r--"]), _page(USER_PAGE)), f"rights were only added: {_MISS}"),
    Case(_change(_page(_SHARED), _page(USER_PAGE)), f"the frame was taken over: {_MISS}"),
    Case(_change(_page(RIGHTS["r--"]), _page(RIGHTS["r-x"])), f"X was only added: {_MISS}"),
    Case(_change(_page(_SHARED), _page(_SHARED & ~COW)), "no hart looks at RSW, where COW is"),
    Case(_change(0, _page(V, _TABLE), 1, address=HUGE), "no pointer was there before"),
    Case(
        _change(_page(_SHARED), _page(USER_PAGE, _OTHER_FRAME)),
        "the page has another frame: who only reads may go on reading the old one",
    ),
]
_ONE_PAGE = [
    Case(_change(_page(USER_PAGE), _page(_SHARED)), "one page changed: the others are true"),
    Case(_change(_page(USER_PAGE), 0), "one page changed: the others are true"),
    Case(
        _change(make_pte(0x80400, USER_PAGE), make_pte(0x80400, _SHARED), 1, address=HUGE),
        "a superpage is one leaf PTE: one address of it is enough",
    ),
    Case(
        _change(make_pte(0x80400, USER_PAGE), _page(V, _TABLE), 1, address=HUGE),
        "what harts remember is the superpage, a leaf PTE: one address of it is enough",
    ),
    Case(
        _change(_page(KERNEL_PAGE), 0, address=KERNEL),
        "global: every ASID's, but of one page",
    ),
]
_WHICH_HARTS = [
    Case(_change(_page(USER_PAGE), 0, harts=()), "no hart can remember it: it ran nowhere yet"),
    Case(_change(_page(USER_PAGE), 0, harts=(1,), here=0), "only hart 1 may remember it"),
    Case(_change(_page(USER_PAGE), 0, harts=(0, 2), here=0), "harts 0 and 2 may remember it"),
    Case(
        _change(_page(V, _TABLE), 0, 1, harts=(1, 3), here=2, address=HUGE),
        "harts 1 and 3 may remember the pointer",
    ),
]
_SWITCHES = [
    Case(Switch(0, 1, 7, None), "nothing is known with this ASID"),
    Case(Switch(0, 1, 7, 7), "what the hart remembers is this address space's"),
    Case(Switch(1, 2, 9, 7), "what hart 1 remembers with ASID 2 is address space 7's"),
    Case(Switch(0, 0, 3, 2), "what the hart remembers with ASID 0 is address space 2's"),
    Case(Switch(1, 0, 3, 3), "what the hart remembers is this address space's"),
]


def _every_change() -> Iterator[Case]:
    """All pairs of a few kinds of PTEs, those that differ least first."""
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
            if not pointers and not is_open(change):
                yield Case(change, _why(change))


def _why(change: PteChange) -> str:
    due = needed(change)
    if not due:
        return f"nothing was taken away: {_MISS}"
    if due[0].address is None:
        return "a pointer changed: with it all that is below"
    return "the page lost a right, or its frame, or was global"


TESTS: list[Test] = [
    NoHarm(
        "fork",
        "when fork takes W, is there a hart on which the parent can still store?",
        start_states.forking,
        depth=8,
        points=7,
        asks_about_harts=True,
    ),
    NoHarm(
        "copy-on-write",
        "when a store gets a page of its own, does any hart go on with the old frame?",
        start_states.sharing,
        depth=8,
        points=7,
    ),
    NoHarm(
        "mprotect",
        "does every hart lose the rights that mprotect takes?",
        start_states.protecting,
        depth=6,
    ),
    NoHarm(
        "munmap",
        "can a hart reach a frame that was given back, when it is another's?",
        start_states.unmapping,
        depth=7,
        points=6,
        asks_about_harts=True,
    ),
    NoHarm(
        "asid-reuse",
        "does a process see nothing of the one that had its ASID before?",
        start_states.reusing_asids,
        depth=8,
    ),
    NoHarm(
        "no-asids",
        "are processes kept apart on a machine without ASIDs?",
        start_states.without_asids,
        depth=7,
    ),
    NoHarm(
        "table-freed",
        "when a leaf table is unlinked and free, does a hart still walk through it?",
        start_states.unlinking,
        depth=7,
    ),
    NoHarm(
        "superpage-split",
        "when a superpage is split, does a hart go on with the superpage?",
        start_states.splitting,
        depth=7,
    ),
    NoHarm(
        "superpage-made",
        "when pages become a superpage, does a hart go on with their table?",
        start_states.collapsing,
        depth=7,
    ),
    NoHarm(
        "write-back",
        "when D is cleared, does the next store set it again?",
        start_states.cleaning,
        depth=6,
    ),
    NoHarm(
        "global-page",
        "when the kernel unmaps a page of its own, is it gone in every address space?",
        start_states.freeing_kernel_pages,
        depth=7,
    ),
    NoHarm("together", "do all of these together do no harm?", start_states.everything, depth=5),
    Exact("rights-added", "does a right that is only added cost no fence?", _RIGHTS_ADDED),
    Exact("one-page", "is only the page that changed forgotten?", _ONE_PAGE),
    Exact("which-harts", "are only those harts fenced that may remember?", _WHICH_HARTS),
    Exact("switches", "does a switch forget no more than it has to?", _SWITCHES),
    Exact(
        "every-change",
        "is the answer to every kind of change exact?",
        list(_every_change()),
    ),
    GuestProgram(
        "isolation",
        "does a program on a TLB that never forgets see its processes' memory apart?",
        "isolation",
    ),
    GuestProgram(
        "fork-tree",
        "does a tree of processes, with few ASIDs on such a TLB, come out right?",
        "fork_tree",
    ),
]

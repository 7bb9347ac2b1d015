"""Where the sequences of the lab ``tlb`` begin, and what can happen in each."""

from __future__ import annotations

from collections.abc import Sequence

from emu.lab.kit.values import Fence, PteChange
from emu.lab.labs.tlb.model.events import (
    KERNEL_PAGE,
    RIGHTS,
    USER_PAGE,
    Clean,
    Collapse,
    Event,
    Exit,
    Fork,
    KernelFrees,
    Protect,
    Run,
    Start,
    Store,
    Touch,
    Unlink,
    Unmap,
)
from emu.lab.labs.tlb.model.fence_rules import needed, needed_for, reach
from emu.lab.labs.tlb.model.kernel import Answers, Kernel, Question
from emu.lab.labs.tlb.model.machine import Key, Machine
from emu.lab.labs.tlb.model.search import World
from emu.machine.pte import V, make_pte

PAGE = 0x11000
OTHER = 0x12000
HUGE = 0x200000
KERNEL = 0xFFFFFFC0_00001000
"""A page in each of two leaf tables of a process, and one of the kernel's."""


def machine(pids: int = 1, asids: int = 3, pages: Sequence[int] = (PAGE,)) -> Machine:
    """Processes, of which the first runs on hart 0 and has pages of its own."""
    made = Machine(asids)
    for _ in range(pids):
        made.new_space()
    for page in pages:
        _map(made, page)
    return _begun(made)


def _map(made: Machine, page: int) -> None:
    ptes = made.spaces[1].ptes
    region = Key(1, page & -reach(1))
    if region not in ptes:
        ptes[region] = make_pte(made.free_frame(), V)
    ptes[Key(0, page)] = make_pte(made.free_frame(), USER_PAGE)


def _begun(made: Machine, running: Sequence[int] = (1,)) -> Machine:
    kernel = Kernel(made, right_answers())
    for hart, number in enumerate(running):
        kernel.run(hart, number)
    made.fill()
    return made


def right_answers() -> Answers:
    """Those of the grader's own rule."""

    def ask(question: Question) -> list[Fence]:
        return needed(question) if isinstance(question, PteChange) else needed_for(question)

    return Answers(ask)


def _runs(pids: int, harts: int = 2) -> list[Event]:
    return [Run(hart, pid) for pid in range(1, pids + 1) for hart in range(harts)]


def forking() -> World:
    """A process with one page, that forks."""
    events: list[Event] = [*_runs(2), Fork(1), Exit(2)]
    return World(machine(), events, (PAGE,))


def sharing() -> World:
    """A parent and a child that share a page, and store to it."""
    made = machine()
    Fork(1).do(Kernel(made, right_answers()))
    made.fill()
    events: list[Event] = [*_runs(2), Store(1, PAGE), Store(2, PAGE), Exit(1), Exit(2)]
    return World(made, events, (PAGE,))


def protecting() -> World:
    """A process whose page gets other rights, again and again."""
    events: list[Event] = [*_runs(1), *(Protect(1, PAGE, rights) for rights in RIGHTS)]
    return World(machine(pages=(PAGE, OTHER)), events, (PAGE, OTHER))


def unmapping() -> World:
    """Two processes, one of which gets the frames that the other gives back."""
    events: list[Event] = [
        *_runs(2),
        *(Unmap(1, page) for page in (PAGE, OTHER)),
        *(Touch(pid, page) for pid in (1, 2) for page in (PAGE, OTHER)),
    ]
    return World(machine(pids=2, pages=(PAGE, OTHER)), events, (PAGE, OTHER))


def reusing_asids() -> World:
    """Processes that come and go, on a machine with two ASIDs."""
    events: list[Event] = [
        *_runs(4),
        Start(),
        Exit(1),
        Exit(3),
        Touch(2, PAGE),
    ]
    return World(machine(pids=2, asids=2), events, (PAGE, OTHER))


def without_asids() -> World:
    """Two processes on a machine on which all have ASID 0."""
    events: list[Event] = [*_runs(2), Touch(2, OTHER), Touch(2, PAGE), Unmap(1, PAGE)]
    return World(machine(pids=2, asids=0), events, (PAGE, OTHER))


def unlinking() -> World:
    """Leaf tables are unlinked, and their frames used for other things."""
    events: list[Event] = [
        *_runs(2),
        Unlink(1, HUGE),
        Unmap(1, HUGE),
        *(Touch(pid, page) for pid in (1, 2) for page in (PAGE, HUGE)),
    ]
    return World(machine(pids=2, pages=(PAGE, HUGE)), events, (PAGE, HUGE))


def splitting() -> World:
    """A superpage is shared by fork, and split by a store to one of its pages."""
    made = Machine(3)
    space = made.new_space()
    assert space is not None
    space.ptes[Key(1, HUGE)] = make_pte(made.free_superpage(), USER_PAGE)
    events: list[Event] = [
        *_runs(2),
        Fork(1),
        *(Store(pid, HUGE + at) for pid in (1, 2) for at in (0, 0x1000)),
    ]
    return World(_begun(made), events, (HUGE, HUGE + 0x1000))


def collapsing() -> World:
    """A table of pages is replaced by a superpage, and its frames are used for other things."""
    events: list[Event] = [*_runs(2), Collapse(1, HUGE), Touch(2, PAGE), Touch(2, OTHER)]
    return World(machine(pids=2, pages=(HUGE,)), events, (PAGE, HUGE))


def cleaning() -> World:
    """Pages of a file are written back."""
    events: list[Event] = [*_runs(1), Clean(1, PAGE), Clean(1, OTHER)]
    return World(machine(pages=(PAGE, OTHER)), events, (PAGE, OTHER))


def freeing_kernel_pages() -> World:
    """The kernel gives back a page of its own, which every address space maps."""
    made = Machine(3)
    made.new_space()
    made.new_space()
    made.shared[Key(0, KERNEL)] = make_pte(made.free_frame(), KERNEL_PAGE)
    events: list[Event] = [*_runs(2), KernelFrees(KERNEL), Touch(1, PAGE), Touch(2, PAGE)]
    return World(_begun(made), events, (PAGE, KERNEL))


def everything() -> World:
    """All kinds of events together."""
    events: list[Event] = [
        *_runs(3),
        *(Fork(1), Fork(2), Start(), Exit(1), Exit(2)),
        *(Store(1, PAGE), Store(2, PAGE), Protect(1, PAGE, "r--"), Clean(1, PAGE)),
        *(Unmap(1, PAGE), Unlink(1, 0), Collapse(1, 0), Touch(1, OTHER), Touch(2, OTHER)),
    ]
    return World(machine(pages=(PAGE,), asids=2), events, (PAGE, OTHER))

"""Scenarios of the lab ``tlb``: initial states, and the events that can occur in each."""

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
from emu.lab.labs.tlb.model.fence_rules import needed_fences, needed_fences_for_switch, reach
from emu.lab.labs.tlb.model.kernel import Answers, FenceQuery, Kernel
from emu.lab.labs.tlb.model.machine import Key, Machine
from emu.lab.labs.tlb.model.search import Scenario
from emu.machine.pte import V, make_pte

PAGE = 0x11000
OTHER = 0x12000
HUGE = 0x200000
KERNEL = 0xFFFFFFC0_00001000
"""Pages in two leaf tables of a process (PAGE and OTHER in one, HUGE in the other), and a page of
the kernel."""


def initial_machine(pids: int = 1, asids: int = 3, pages: Sequence[int] = (PAGE,)) -> Machine:
    """Machine with processes, the first of which runs on hart 0 and has mapped pages."""
    model = Machine(asids)
    for _ in range(pids):
        model.new_space()
    for page in pages:
        _map(model, page)
    return _start(model)


def _map(model: Machine, page: int) -> None:
    ptes = model.spaces[1].ptes
    region = Key(1, page & -reach(1))
    if region not in ptes:
        ptes[region] = make_pte(model.free_frame(), V)
    ptes[Key(0, page)] = make_pte(model.free_frame(), USER_PAGE)


def _start(model: Machine, running: Sequence[int] = (1,)) -> Machine:
    kernel = Kernel(model, correct_answers())
    for hart, number in enumerate(running):
        kernel.run(hart, number)
    model.fill()
    return model


def correct_answers() -> Answers:
    """Answers by the grader's own rule."""

    def ask(question: FenceQuery) -> list[Fence]:
        return (
            needed_fences(question)
            if isinstance(question, PteChange)
            else needed_fences_for_switch(question)
        )

    return Answers(ask)


def _runs(pids: int, harts: int = 2) -> list[Event]:
    return [Run(hart, pid) for pid in range(1, pids + 1) for hart in range(harts)]


def forking() -> Scenario:
    """A process with one page forks."""
    events: list[Event] = [*_runs(2), Fork(1), Exit(2)]
    return Scenario(initial_machine(), events, (PAGE,))


def sharing() -> Scenario:
    """A parent and a child share a page, and store to it."""
    model = initial_machine()
    Fork(1).apply(Kernel(model, correct_answers()))
    model.fill()
    events: list[Event] = [*_runs(2), Store(1, PAGE), Store(2, PAGE), Exit(1), Exit(2)]
    return Scenario(model, events, (PAGE,))


def protecting() -> Scenario:
    """The rights of a process's page are changed repeatedly."""
    events: list[Event] = [*_runs(1), *(Protect(1, PAGE, rights) for rights in RIGHTS)]
    return Scenario(initial_machine(pages=(PAGE, OTHER)), events, (PAGE, OTHER))


def unmapping() -> Scenario:
    """Two processes, one of which gets the frames that the other releases."""
    events: list[Event] = [
        *_runs(2),
        *(Unmap(1, page) for page in (PAGE, OTHER)),
        *(Touch(pid, page) for pid in (1, 2) for page in (PAGE, OTHER)),
    ]
    return Scenario(initial_machine(pids=2, pages=(PAGE, OTHER)), events, (PAGE, OTHER))


def reusing_asids() -> Scenario:
    """Processes start and exit on a machine with two ASIDs."""
    events: list[Event] = [
        *_runs(4),
        Start(),
        Exit(1),
        Exit(3),
        Touch(2, PAGE),
    ]
    return Scenario(initial_machine(pids=2, asids=2), events, (PAGE, OTHER))


def without_asids() -> Scenario:
    """Two processes on a machine on which all address spaces have ASID 0."""
    events: list[Event] = [*_runs(2), Touch(2, OTHER), Touch(2, PAGE), Unmap(1, PAGE)]
    return Scenario(initial_machine(pids=2, asids=0), events, (PAGE, OTHER))


def unlinking() -> Scenario:
    """Leaf tables are unlinked, and their frames are reused."""
    events: list[Event] = [
        *_runs(2),
        Unlink(1, HUGE),
        Unmap(1, HUGE),
        *(Touch(pid, page) for pid in (1, 2) for page in (PAGE, HUGE)),
    ]
    return Scenario(initial_machine(pids=2, pages=(PAGE, HUGE)), events, (PAGE, HUGE))


def splitting() -> Scenario:
    """A superpage is shared by fork, and split by a store to one of its pages."""
    model = Machine(3)
    space = model.new_space()
    assert space is not None
    space.ptes[Key(1, HUGE)] = make_pte(model.free_superpage(), USER_PAGE)
    events: list[Event] = [
        *_runs(2),
        Fork(1),
        *(Store(pid, HUGE + at) for pid in (1, 2) for at in (0, 0x1000)),
    ]
    return Scenario(_start(model), events, (HUGE, HUGE + 0x1000))


def collapsing() -> Scenario:
    """A superpage replaces a table of pages, whose frames are reused."""
    events: list[Event] = [*_runs(2), Collapse(1, HUGE), Touch(2, PAGE), Touch(2, OTHER)]
    return Scenario(initial_machine(pids=2, pages=(HUGE,)), events, (PAGE, HUGE))


def cleaning() -> Scenario:
    """Pages of a file are written back, so that D is cleared."""
    events: list[Event] = [*_runs(1), Clean(1, PAGE), Clean(1, OTHER)]
    return Scenario(initial_machine(pages=(PAGE, OTHER)), events, (PAGE, OTHER))


def freeing_kernel_pages() -> Scenario:
    """The kernel unmaps a page of its own, which every address space maps."""
    model = Machine(3)
    model.new_space()
    model.new_space()
    model.shared[Key(0, KERNEL)] = make_pte(model.free_frame(), KERNEL_PAGE)
    events: list[Event] = [*_runs(2), KernelFrees(KERNEL), Touch(1, PAGE), Touch(2, PAGE)]
    return Scenario(_start(model), events, (PAGE, KERNEL))


def everything() -> Scenario:
    """All kinds of events together."""
    events: list[Event] = [
        *_runs(3),
        *(Fork(1), Fork(2), Start(), Exit(1), Exit(2)),
        *(Store(1, PAGE), Store(2, PAGE), Protect(1, PAGE, "r--"), Clean(1, PAGE)),
        *(Unmap(1, PAGE), Unlink(1, 0), Collapse(1, 0), Touch(1, OTHER), Touch(2, OTHER)),
    ]
    return Scenario(initial_machine(pages=(PAGE,), asids=2), events, (PAGE, OTHER))

"""What the kernel tells whoever observes it. With no observer nothing is made or called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from emu.machine.trap import Trap
    from kernel.mm.address_space import AddressSpace
    from kernel.mm.fault import Resolution
    from kernel.mm.fork import ForkCost
    from kernel.process.process import Process, Thread


class Fault(NamedTuple):
    """A page fault in ``space`` that was handled, or could not be.

    ``trap`` is None when the kernel itself met the fault, on behalf of system call ``call``; it may
    be another thread's, such as clone in the memory of a child. ``space`` is that of ``thread``,
    but for an image that execve is making.
    """

    thread: Thread
    space: AddressSpace
    resolution: Resolution
    trap: Trap | None = None
    call: str | None = None


class Observer:
    """Override what you want to hear of. The machine stands still meanwhile; don't change it."""

    def faulting(self, space: AddressSpace, page: int) -> None:
        """A page fault is about to be handled: the tables are as the fault found them."""

    def fault(self, event: Fault) -> None:
        """After the handler, before the thread runs on. Read a trap's ``tval`` here, not later."""

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        """A system call begins; ``arguments`` are a0 to a5, unsigned."""

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        """It ended with ``result`` in a0; None for one that does not return to its caller."""

    def started(self, process: Process) -> None:
        """The first process has its image; nothing has run."""

    def reached(self, thread: Thread, pc: int) -> None:
        """The thread, which runs, comes to the instruction at ``pc``, one of
        :attr:`kernel.trap.breakpoints.Breakpoints.addresses`.
        """

    def forked(self, thread: Thread, child: Process, cost: ForkCost | None) -> None:
        """``thread`` has a child with its memory; neither has run on. No cost: the same memory."""

    def execed(self, process: Process) -> None:
        """The process has its new image."""

    def leaving(self, process: Process) -> None:
        """Its memory is about to go: by exec while it is alive, else by its end."""

    def exited(self, process: Process) -> None:
        """The process has its status; its memory is gone."""

    def signalled(self, thread: Thread, signo: int) -> None:
        """A signal is being delivered: a handler, or its default action."""

    # What becomes of an address space. It may be one that no process has yet, or has any more.

    def mapped(self, space: AddressSpace, start: int, end: int) -> None:
        """A VMA is there, or has grown: [start, end) is new."""

    def protected(self, space: AddressSpace, start: int, end: int) -> None:
        """The VMAs of [start, end) may have other rights (mprotect)."""

    def moved(self, space: AddressSpace, start: int, end: int, to: int) -> None:
        """[start, end) now lies at ``to``, with its pages (mremap); ``mapped`` tells of it next."""

    def clearing(self, space: AddressSpace, start: int, end: int) -> None:
        """The pages of [start, end) are about to be let go of."""

    def unmapped(self, space: AddressSpace, start: int, end: int) -> None:
        """No VMA is left in [start, end)."""

    def discarding(self, space: AddressSpace) -> None:
        """All pages are about to be let go of: the last process leaves (exit, exec)."""


NOBODY = Observer()
"""Who observes an address space when nobody does."""


class Observers(Observer):
    """Tells several, each only what it listens to."""

    def __init__(self, observers: list[Observer]) -> None:
        for name, method in vars(Observer).items():
            if callable(method):
                listening = [getattr(o, name) for o in observers if _listens(o, name)]
                setattr(self, name, _one_after_the_other(listening))


def _listens(observer: Observer, name: str) -> bool:
    silent = getattr(type(observer), name) is getattr(Observer, name)
    return isinstance(observer, Observers) or not silent


def _one_after_the_other(functions: list[Callable[..., None]]) -> Callable[..., None]:
    if len(functions) == 1:
        return functions[0]

    def tell(*what: Any) -> None:
        for function in functions:
            function(*what)

    return tell

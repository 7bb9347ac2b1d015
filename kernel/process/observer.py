"""Events of a running kernel. Without an observer no event is created and no method called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from kernel.mm.address_space import MemoryObserver

if TYPE_CHECKING:
    from emu.machine.trap import Trap
    from kernel.mm.address_space import AddressSpace
    from kernel.mm.forking.fork_cost import ForkCost
    from kernel.mm.resolution import Resolution
    from kernel.process.process import Process, Thread


class Fault:
    """A page fault in ``space``, with its resolution.

    ``trap`` is None for a fault of the kernel's own access in system call ``call``, which may be
    another thread's, such as clone in the memory of a child. ``space`` is that of ``thread``,
    except for an image that execve is loading.
    """

    __slots__ = ("call", "resolution", "space", "thread", "trap")

    def __init__(
        self,
        thread: Thread,
        space: AddressSpace,
        resolution: Resolution,
        trap: Trap | None = None,
        call: str | None = None,
    ) -> None:
        self.thread = thread
        self.space = space
        self.resolution = resolution
        self.trap = trap
        self.call = call


@mypyc_attr(allow_interpreted_subclasses=True)
class Observer(MemoryObserver):
    """Receives the events of a kernel; each method does nothing unless overridden.

    No instruction is executed during a call. An observer must not change the machine.
    """

    observes_calls = True
    """False for one without use for :meth:`call_entered` and :meth:`call_left`."""

    def fault(self, event: Fault) -> None:
        """Called after a page fault was handled. A trap's ``tval`` is valid only during it."""

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        """Called when a system call begins; ``arguments`` are a0 to a5, unsigned."""

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        """Called when it ended with ``result`` in a0; None if it does not return to its caller."""

    def started(self, process: Process) -> None:
        """Called when the first process has its image; no instruction has run."""

    def reached(self, thread: Thread, pc: int) -> None:
        """Called before the running thread executes the instruction at ``pc``.

        ``pc`` is one of :attr:`kernel.trap.breakpoints.Breakpoints.addresses`.
        """

    def forked(self, thread: Thread, child: Process, cost: ForkCost | None) -> None:
        """Called when ``thread`` has a new child; ``cost`` is None if they share their memory."""

    def execed(self, process: Process) -> None:
        """Called when the process has its new image (execve)."""

    def leaving(self, process: Process) -> None:
        """Called before a process releases its memory: at exec while it is alive, else at exit."""

    def exited(self, process: Process) -> None:
        """Called when the process has its exit status; its memory is released."""

    def signalled(self, thread: Thread, signo: int) -> None:
        """Called when a signal is delivered: to a handler, or as its default action."""

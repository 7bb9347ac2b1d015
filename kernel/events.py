"""What the kernel tells whoever observes it. With no observer nothing is made or called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emu.machine.trap import Trap
from kernel.fault import Resolution

if TYPE_CHECKING:
    from kernel.fork import ForkCost
    from kernel.process import Process, Thread


@dataclass(frozen=True, slots=True)
class Fault:
    """A page fault that was handled, or could not be.

    ``trap`` is None when the kernel itself met the fault, on behalf of system call ``call``.
    """

    thread: Thread
    resolution: Resolution
    trap: Trap | None = None
    call: str | None = None


class Observer:
    """Override what you want to hear of. The machine stands still meanwhile; don't change it."""

    def fault(self, event: Fault) -> None:
        """After the handler, before the thread runs on."""

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
        :attr:`kernel.breakpoints.Breakpoints.addresses`.
        """

    def forked(self, parent: Process, child: Process, cost: ForkCost) -> None:
        """``child`` has its memory; neither has run on."""

    def execed(self, process: Process) -> None:
        """The process has its new image."""

    def leaving(self, process: Process) -> None:
        """Its memory is about to go: by exec while it is alive, else by its end."""

    def exited(self, process: Process) -> None:
        """The process has its status; its memory is gone."""

    def signalled(self, thread: Thread, signo: int) -> None:
        """A signal is being delivered: a handler, or its default action."""


class Observers(Observer):
    """Tells several."""

    def __init__(self, observers: list[Observer]) -> None:
        self._observers = observers

    def fault(self, event: Fault) -> None:
        for observer in self._observers:
            observer.fault(event)

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        for observer in self._observers:
            observer.call_entered(thread, number, arguments)

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        for observer in self._observers:
            observer.call_left(thread, number, arguments, result)

    def started(self, process: Process) -> None:
        for observer in self._observers:
            observer.started(process)

    def reached(self, thread: Thread, pc: int) -> None:
        for observer in self._observers:
            observer.reached(thread, pc)

    def forked(self, parent: Process, child: Process, cost: ForkCost) -> None:
        for observer in self._observers:
            observer.forked(parent, child, cost)

    def execed(self, process: Process) -> None:
        for observer in self._observers:
            observer.execed(process)

    def leaving(self, process: Process) -> None:
        for observer in self._observers:
            observer.leaving(process)

    def exited(self, process: Process) -> None:
        for observer in self._observers:
            observer.exited(process)

    def signalled(self, thread: Thread, signo: int) -> None:
        for observer in self._observers:
            observer.signalled(thread, signo)

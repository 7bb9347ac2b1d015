"""Worker process that can be ended with all processes it started."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from emu.host.child_processes import end_with, has_threads

_STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
_FORK = multiprocessing.get_context("fork")
_SPAWN = multiprocessing.get_context("spawn")


class Worker:
    """Calls ``work(pipe, *arguments)`` in a process; ``pipe`` receives what it sends.

    The process is forked, or spawned if this one has threads, which takes longer.
    """

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        anew = has_threads()
        self.pipe, theirs = _FORK.Pipe(duplex=False)
        everything = (os.getpid(), anew, work, theirs, arguments)
        make = _SPAWN.Process if anew else _FORK.Process
        self._process: BaseProcess = make(target=_begin, args=everything, daemon=False)
        # An exception raised by a signal handler during a fork is lost (os.register_at_fork).
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with suppress(OSError):  # the process does the same: either may be first
            os.setpgid(self._process.pid or 0, self._process.pid or 0)
        theirs.close()
        if anew:
            with suppress(EOFError):
                self.pipe.recv()  # startup does not count as the work's time

    @property
    def exitcode(self) -> int | None:
        return self._process.exitcode

    def stop(self) -> None:
        """Ends the process and all processes it started."""
        with suppress(OSError):
            os.killpg(self._process.pid or 0, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _begin(
    parent: int, anew: bool, work: Callable[..., None], pipe: Connection, arguments: tuple[Any, ...]
) -> None:
    with suppress(OSError):
        os.setpgid(0, 0)  # Ctrl-C is handled by the first process
    end_with(parent)
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)  # discards one that is pending
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    signal.signal(signal.SIGINT, usual)
    with suppress(BrokenPipeError):  # the parent no longer waits for the result
        if anew:
            pipe.send("ready")
        work(pipe, *arguments)

"""The host's side of interruption: preempting a guest that never traps, Ctrl-C, the time limit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from emu.host.break_in import SIGNAL, may_raise
from kernel.kernel import Kernel
from kernel.process.signal_send import send_process
from kernel.process.signals import SI_KERNEL, Sig, SigInfo
from kernel.trap.run_loop import Stopped

PERIOD = 0.01
"""Seconds; a guest that has not trapped for so long is interrupted."""
_AGAIN = 1.0
"""A second Ctrl-C within so many seconds ends all guests, whatever they do with the first; not
when a guest is a shell that controls jobs, whose user may well press it twice."""
_PATIENCE = 30
"""Ticks that the kernel's loop has to end the run by itself."""

INTERRUPTED_STATUS = 130
TIMEOUT_STATUS = 124
_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


class Ticker:
    """Active while the kernel runs (a context manager).

    The thread only stops the engine and adds to ``kernel.requests``; the kernel's own loop acts on
    it. If a run that must end does not reach the loop (a long call, or one that waits for the
    host), the thread interrupts it. A deterministic machine is never preempted by the host's time:
    it cuts its slices by counting instructions. ``foreground`` tells the process group that
    receives the terminal's Ctrl-C, or None when no guest controls jobs: then it is for all.
    ``step_aside`` does something with the user's terminal as it was before the guests.
    """

    def __init__(
        self,
        kernel: Kernel,
        timeout: float | None,
        foreground: Callable[[], int | None],
        step_aside: Callable[[Callable[[], None]], None] = lambda act: act(),
    ) -> None:
        self.ended_by = 0
        """The last signal from the user that ended the guests, or 0."""
        self.broke_in = False
        """True when the kernel was interrupted during its work."""
        self._kernel = kernel
        self._foreground = foreground
        self._step_aside = step_aside
        self._timeout = timeout
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True, name="emu-ticker")
        self._handlers: dict[int, Any] = {}
        self._last_interrupt = 0.0
        self._stopped: Stopped | None = None
        """What ends the run; None while it may go on."""
        self._late = 0
        """Ticks since then, or since the exception was last raised."""

    def __enter__(self) -> Ticker:
        if threading.current_thread() is threading.main_thread():
            for number, action in (
                (signal.SIGINT, self._on_interrupt),
                (signal.SIGQUIT, self._on_quit),
                (signal.SIGTSTP, self._on_suspend),
                (signal.SIGTERM, self._on_terminate),
                (signal.SIGWINCH, self._on_resize),
                (signal.SIGHUP, self._on_hangup),
                (SIGNAL, self._on_break_in),
            ):
                if number != signal.SIGHUP or not _nohup():
                    self._handlers[number] = signal.signal(number, action)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        # From here on the earlier handlers apply; Python would drop a signal still being handled.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._handlers)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _tick(self) -> None:
        end = None if self._timeout is None else time.monotonic() + self._timeout
        seen = -1
        while not self._done.wait(PERIOD):
            if end is not None and self._stopped is None and time.monotonic() >= end:
                limit = f"the time limit of {self._timeout:g} s has passed"
                self._stop(TIMEOUT_STATUS, limit)
            traps = self._kernel.traps
            called = bool(self._kernel.requests)
            if called or (traps == seen and not self._kernel.config.deterministic):
                self._kernel.hart.interrupt()
            seen = traps
            self._late += self._stopped is not None
            if self._late >= _PATIENCE and self._handlers:
                signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)

    # Signals of the host. Python runs these in the main thread between two bytecodes, so never
    # while the engine runs: the tick brings them out of it.

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.ended_by = Sig.INT
        hurried = time.monotonic() - self._last_interrupt < _AGAIN
        self._last_interrupt = time.monotonic()
        if hurried and self._foreground() is None:
            self._stop(INTERRUPTED_STATUS, "interrupted")
        else:
            self._kernel.call_soon(self._interrupt_foreground)

    def _on_quit(self, _number: int, _frame: FrameType | None) -> None:
        self.ended_by = Sig.QUIT
        self._kernel.call_soon(lambda: self._send(Sig.QUIT))

    def _on_suspend(self, _number: int, _frame: FrameType | None) -> None:
        self._kernel.call_soon(self._suspend)

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        self.ended_by = Sig.TERM
        self._stop(128 + Sig.TERM, "terminated")

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        self.ended_by = Sig.HUP
        self._stop(128 + Sig.HUP, "the terminal was closed")

    def _on_resize(self, _number: int, _frame: FrameType | None) -> None:
        self._kernel.call_soon(lambda: self._send(Sig.WINCH))

    def _on_break_in(self, _number: int, frame: FrameType | None) -> None:
        if self._stopped is not None and may_raise(frame):
            self.broke_in = True
            self._raise()

    def _interrupt_foreground(self) -> None:
        """Ctrl-C is SIGINT for the guests, as from a terminal's driver."""
        self._send(Sig.INT)

    def _suspend(self) -> None:
        """Ctrl-Z is SIGTSTP for the guests in front when another is left to go on, as a shell is;
        else it is for the machine itself.
        """
        group = self._foreground()
        living = [process for process in self._kernel.processes.values() if process.alive]
        if group is not None and any(p.pgid != group or not p.stops_at(Sig.TSTP) for p in living):
            self._send(Sig.TSTP)
        else:
            self._step_aside(_stop_here)

    def _stop(self, status: int, reason: str) -> None:
        """Ends the run: from the kernel's loop, or by an exception where it is."""
        if self._stopped is None:
            self._stopped = Stopped(status, reason)
            self._kernel.call_soon(self._raise)

    def _raise(self) -> None:
        """May be called again: an exception in a generator's cleanup, for example, is lost."""
        self._late = 0
        if self._stopped is not None:
            raise self._stopped

    def _send(self, signo: int) -> None:
        group = self._foreground()
        for process in list(self._kernel.processes.values()):
            if group is None or process.pgid == group:
                send_process(self._kernel, process, SigInfo(signo, SI_KERNEL))


def _nohup() -> bool:
    """Whether whoever started emu wants it to outlive the terminal."""
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def _stop_here() -> None:
    """Stops this very process, as if it had no handler, until the user's shell continues it."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)

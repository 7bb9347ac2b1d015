"""Interrupts the guests: preemption of one that never traps, host signals, the time limit."""

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
from kernel.process.signals.signals import SI_KERNEL, Sig, SigInfo
from kernel.trap.run_loop import Stopped

PERIOD = 0.01
"""Seconds; a guest that has not trapped for this time is interrupted."""
_SECOND_PRESS = 1.0
"""Seconds within which a second Ctrl-C ends all guests, even if they handle the first; not when a
guest is a shell with job control, whose user may press it twice on purpose."""
_GRACE_TICKS = 30
"""Ticks within which the kernel's loop must end the run before it is interrupted."""

INTERRUPTED_STATUS = 130
TIMEOUT_STATUS = 124
_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


class Ticker:
    """A context manager that is active while the kernel runs.

    Its thread only stops the engine and adds to ``kernel.requests``; the kernel's own loop acts on
    it. If a run that must end does not reach the loop (a long call, or one that waits for the
    host), the thread interrupts it. A deterministic machine is never preempted by the host's time:
    its time slices are counted in instructions. ``foreground`` returns the process group that
    receives the terminal's Ctrl-C, or None when no guest controls jobs and all receive it.
    ``step_aside`` calls a function with the terminal's settings as they were before the run;
    ``on_tick`` is called by the thread at each tick.
    """

    def __init__(
        self,
        kernel: Kernel,
        timeout: float | None,
        foreground: Callable[[], int | None],
        step_aside: Callable[[Callable[[], None]], None] = lambda act: act(),
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.ended_by = 0
        """Number of the user's last signal that ended the guests, or 0."""
        self.broke_in = False
        """True when the kernel was interrupted during its work."""
        self._kernel = kernel
        self._foreground = foreground
        self._step_aside = step_aside
        self._timeout = timeout
        self._on_tick = on_tick
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True, name="emu-ticker")
        self._handlers: dict[int, Any] = {}
        self._last_interrupt = 0.0
        self._stopped: Stopped | None = None
        """The exception that ends the run; None while it continues."""
        self._late = 0
        """Ticks since it was set or last raised."""

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
        last_traps = -1
        while not self._done.wait(PERIOD):
            if end is not None and self._stopped is None and time.monotonic() >= end:
                limit = f"the time limit of {self._timeout:g} s has passed"
                self._stop(TIMEOUT_STATUS, limit)
            self._on_tick()
            traps = self._kernel.traps
            requested = bool(self._kernel.requests)
            if requested or (traps == last_traps and not self._kernel.config.deterministic):
                self._kernel.hart.interrupt()
            last_traps = traps
            self._late += self._stopped is not None
            if self._late >= _GRACE_TICKS and self._handlers:
                signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)

    # Signal handlers. Python runs them in the main thread between two bytecodes, so never while
    # the engine runs: the tick stops it.

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.ended_by = Sig.INT
        second = time.monotonic() - self._last_interrupt < _SECOND_PRESS
        self._last_interrupt = time.monotonic()
        if second and self._foreground() is None:
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
        """Sends SIGINT to the guests, as a terminal driver does on Ctrl-C."""
        self._send(Sig.INT)

    def _suspend(self) -> None:
        """Ctrl-Z: sends SIGTSTP to the foreground guests if another guest remains, as a shell does.

        Otherwise it stops emu itself.
        """
        group = self._foreground()
        living = [process for process in self._kernel.processes.values() if process.alive]
        if group is not None and any(p.pgid != group or not p.stops_at(Sig.TSTP) for p in living):
            self._send(Sig.TSTP)
        else:
            self._step_aside(_stop_here)

    def _stop(self, status: int, reason: str) -> None:
        """Ends the run: in the kernel's loop, or by an exception if that is not reached."""
        if self._stopped is None:
            self._stopped = Stopped(status, reason)
            self._kernel.call_soon(self._raise)

    def _raise(self) -> None:
        """Raises ``Stopped``; called again if it was lost, for example in a generator's cleanup."""
        self._late = 0
        if self._stopped is not None:
            raise self._stopped

    def _send(self, signo: int) -> None:
        group = self._foreground()
        for process in list(self._kernel.processes.values()):
            if group is None or process.pgid == group:
                send_process(self._kernel, process, SigInfo(signo, SI_KERNEL))


def _nohup() -> bool:
    """True when emu was started to outlive the terminal, as by nohup(1)."""
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def _stop_here() -> None:
    """Stops this process, as if it had no handler, until the user's shell continues it."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)

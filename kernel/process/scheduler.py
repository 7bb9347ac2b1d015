"""The scheduler: one hart, a queue of threads in the order in which they became ready.

A thread keeps the hart until it waits, yields, ends, or has trapped ``TRAPS_PER_TURN`` times while
others are ready; a timer interrupt preempts one that never traps. So the order depends on the
host's time only if a program does.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Iterable

from kernel.base.clock import Clock
from kernel.base.timers import Timers
from kernel.base.wait import Wait
from kernel.process.process import State, Thread

TRAPS_PER_TURN = 10_000
_MAX_POLL_MS = 50
"""Maximum time of one poll(2) of the host, and so the delay of a Ctrl-C."""


class _Sleeper:
    """A waiting thread's entry in wait queues and timers."""

    __slots__ = ("_scheduler", "thread")

    def __init__(self, scheduler: Scheduler, thread: Thread) -> None:
        self._scheduler = scheduler
        self.thread = thread

    def wake(self) -> None:
        self._scheduler.wake(self.thread)


class Scheduler:
    """The ready threads and the waiting ones."""

    def __init__(self, clock: Clock, timers: Timers) -> None:
        self._clock = clock
        self._timers = timers
        self._ready: deque[Thread] = deque()
        self._waiting: dict[Thread, _Sleeper | None] = {}
        """The waiting threads; those stopped by a signal have no entry in a queue."""
        self.need_resched = False
        """True when the current thread gives way to others after this trap."""

    def add(self, thread: Thread) -> None:
        """Appends a thread to the queue of ready threads."""
        thread.state = State.READY
        self._ready.append(thread)

    def next(self) -> Thread | None:
        """Removes and returns the next ready thread; None when none is ready."""
        while self._ready:
            thread = self._ready.popleft()
            if thread.state is State.READY and not thread.process.stopped_by:
                return thread
            if thread.state is State.READY:
                self._waiting[thread] = None  # stopped: SIGCONT wakes it
                thread.state = State.WAITING
        return None

    @property
    def others_ready(self) -> bool:
        return bool(self._ready)

    def sleep(self, thread: Thread, wait: Wait) -> None:
        """Lets the thread wait until one of the conditions of ``wait`` holds."""
        thread.state = State.WAITING
        thread.wait = wait
        sleeper = self._waiting[thread] = _Sleeper(self, thread)
        for queue in wait.queues:
            queue.add(sleeper)
        if wait.deadline is not None:
            thread.wait_timer = self._timers.at(wait.deadline, sleeper.wake)

    def wake(self, thread: Thread) -> None:
        if thread.state is not State.WAITING:
            return
        self._forget(thread)
        self.add(thread)

    def end(self, thread: Thread) -> None:
        self._forget(thread)
        thread.state = State.DEAD

    def _forget(self, thread: Thread) -> None:
        sleeper = self._waiting.pop(thread, None)
        if thread.wait is not None:
            if sleeper is not None:
                for queue in thread.wait.queues:
                    queue.discard(sleeper)
            thread.wait = None
        if thread.wait_timer is not None:
            thread.wait_timer.cancel()
            thread.wait_timer = None

    @property
    def waiting(self) -> Iterable[Thread]:
        return self._waiting

    def poll_host(self, timeout_ms: int = 0) -> None:
        """Wakes the threads whose host descriptors are ready."""
        watched = [
            (ready, thread)
            for thread in self._waiting
            if thread.wait is not None
            for ready in thread.wait.host
        ]
        if not watched:
            return
        poll = select.poll()
        events: dict[int, int] = {}
        for ready, _ in watched:
            events[ready.fd] = events.get(ready.fd, 0) | ready.events
        for fd, mask in events.items():
            poll.register(fd, mask)
        happened = {fd for fd, _ in poll.poll(timeout_ms)}
        for ready, thread in watched:
            if ready.fd in happened:
                self.wake(thread)

    def idle(self) -> bool:
        """Waits for the host or a timer when no thread is ready; False when neither can occur."""
        deadline = self._timers.next_deadline()
        watches_host = any(thread.wait and thread.wait.host for thread in self._waiting)
        if deadline is None and not watches_host:
            return False
        if deadline is not None and self._clock.virtual:
            self.poll_host()
            if not self._ready:
                self._clock.skip_to(deadline)
        else:
            timeout_ms = _MAX_POLL_MS
            if deadline is not None:
                left = (deadline - self._clock.monotonic() + 999_999) // 1_000_000
                timeout_ms = max(0, min(timeout_ms, left))
            if watches_host:
                self.poll_host(timeout_ms)
            elif timeout_ms:
                select.poll().poll(timeout_ms)
        self._timers.run_due()
        return True

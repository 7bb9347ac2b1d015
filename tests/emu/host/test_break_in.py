"""Does a run end on request while the kernel is in an operation that does not return?"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from emu.host.break_in import may_raise
from kernel.process.observer import Observer
from kernel.trap.run_loop import Stopped
from tests.emu.commands import machine
from tests.kernel.syscalls.guests import compiled

pytestmark = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="signals of the host reach only the main thread",
)


def spins() -> None:
    while True:
        pass


def waits() -> None:
    reading, writing = os.pipe()
    try:
        os.read(reading, 1)
    finally:
        os.close(reading)
        os.close(writing)


class Blocking(Observer):
    """Blocks for ever at one kind of event."""

    def __init__(self, event: str, act: Callable[[], None]) -> None:
        self.done = 0

        def block(*_: Any) -> None:
            self.done += 1
            act()

        setattr(self, event, block)


@pytest.mark.parametrize("act", [spins, waits])
@pytest.mark.parametrize("event", ["started", "fault", "call_entered", "call_left"])
def test_sigterm_ends_a_kernel_that_is_busy_or_blocked(
    event: str, act: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    def terminated() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        act()

    observer = Blocking(event, terminated)
    result = machine().run([compiled("return getppid();")], observers=[observer])
    assert (result.status, observer.done) == (143, 1)
    assert result.notes == ["terminated"]
    assert capfd.readouterr().err == "", "no exception was printed and lost"


@pytest.mark.parametrize("act", [spins, waits])
def test_the_time_limit_ends_it_too(act: Callable[[], None]) -> None:
    result = machine(timeout=1).run(
        [compiled("return getppid();")], observers=[Blocking("started", act)]
    )
    assert (result.status, result.notes) == (124, ["the time limit of 1 s has passed"])


def discards_errors() -> None:
    """Discards exceptions, as a reader of damaged files does."""
    while True:
        with suppress(Exception):
            spins()


def closes_slowly() -> Iterator[None]:
    """A generator discarded at its yield: an exception in its cleanup is printed and lost."""
    try:
        yield
    finally:
        spins()


def test_code_that_discards_all_errors_does_not_prevent_the_end() -> None:
    def terminated() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        discards_errors()

    observer = Blocking("started", terminated)
    result = machine().run([compiled("return getppid();")], observers=[observer])
    assert (result.status, result.notes, observer.done) == (143, ["terminated"], 1)


def test_a_lost_exception_is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[type[BaseException] | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: lost.append(what.exc_type))

    def terminated() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        next(closes_slowly())
        spins()

    result = machine().run(
        [compiled("return getppid();")], observers=[Blocking("started", terminated)]
    )
    assert (result.status, result.notes) == (143, ["terminated"])
    assert lost == [Stopped]


def test_no_exception_is_raised_where_it_would_be_lost() -> None:
    def frame_in(module: str, name: str = "function") -> Any:
        scope: dict[str, Any] = {"__name__": module}
        exec(f"import sys\ndef {name}(act=sys._getframe): return act()", scope)
        return scope[name]

    loop, hart = frame_in("kernel.trap.run_loop"), frame_in("emu.machine.hart")
    engine, call = frame_in("emu.machine.engine"), frame_in("kernel.syscalls.memory.mappings")
    goes = frame_in("kernel.vfs.hostfs.file", "__del__")
    assert may_raise(loop(call))
    assert may_raise(loop(lambda: engine(lambda: hart(call)))), "the hart preserves it"
    assert not may_raise(loop(engine)), "translated code is running"
    assert not may_raise(loop(lambda: engine(hart))), "the hook has not started"
    assert not may_raise(loop(lambda: engine(call))), "not a hook of the hart"
    assert not may_raise(loop(goes))
    assert not may_raise(call()), "the kernel is not running"

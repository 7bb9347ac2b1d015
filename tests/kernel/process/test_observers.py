"""Does an observer get the events that it observes, and no others?"""

from __future__ import annotations

from kernel.config import Config
from kernel.kernel import Kernel
from kernel.process.observer import Observer
from kernel.process.observers import Observers
from kernel.process.process import Thread


class Calls(Observer):
    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        raise NotImplementedError


class NoCalls(Calls):
    observes_calls = False


class Signals(Observer):
    def signalled(self, thread: Thread, signo: int) -> None:
        raise NotImplementedError


def test_system_calls_are_reported_to_those_who_observe_them() -> None:
    kernel = Kernel(Config(memory=1 << 20), print)
    for observer, observes in (
        (Calls(), True),
        (NoCalls(), False),
        (Observers([Signals(), NoCalls()]), False),
        (Observers([NoCalls(), Calls()]), True),
    ):
        kernel.observe(observer)
        assert kernel.observer is observer
        assert (kernel.call_observer is observer) is observes

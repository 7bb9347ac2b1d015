"""The vector, where time or the place of an event in a run is what matters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NoReturn
from unittest.mock import patch

from emu import Machine, Options, Result
from emu.machine.cause import Cause
from emu.machine.registers import Registers
from emu.session import Session
from kernel.kernel import Kernel
from kernel.process.observer import Fault, Observer
from kernel.process.process import Process, Thread
from kernel.trap.run_loop import Stopped
from tests.kernel.syscalls.guests import compiled
from tests.wrong.checks.check import SECONDS, Check, require_end, same

_EXIT = 93
_GETPPID = 173

TOUCHES = r"""
    static volatile char pages[50][4096] __attribute__((aligned(4096)));
    for (int i = 0; i < 50; i++)
        pages[i][5] = 1;
    return 0;
"""
LOOP_UNTIL_A_TIMER = r"""
static volatile int rung;
static void on(int signo) { rung = 1; }
int main(void) {
    catch(SIGALRM, on, 0);
    struct itimerval soon = {.it_value = {0, 20000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    for (int i = 0; i < 100000 && !rung; i++)
        getppid();
    return !rung;
}
"""
TOUCH_UNTIL_A_TIMER = r"""
static volatile int rung;
static void on(int signo) { rung = 1; }
int main(void) {
    long size = 12000 * 4096;
    char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    catch(SIGALRM, on, 0);
    struct itimerval soon = {.it_value = {0, 5000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    for (long i = 0; i < size && !rung; i += 4096)
        pages[i] = 1;
    return !rung;
}
"""
CALLS = r"""
    for (int i = 0; i < 200; i++)
        getppid();
    return 0;
"""


def _run(source: str, observer: Observer | None = None, fail_allocation: int = 0) -> Result:
    machine = Machine(timeout=SECONDS, memory=64 << 20, fail_allocation=fail_allocation)
    result = machine.run([compiled(source)], observers=[observer] if observer is not None else [])
    require_end(result.status)
    return result


@patch("emu.host.host_signals.PERIOD", 3600)  # or a host that is busy for a moment brings the timer
def a_timer_reaches_a_loop_of_calls() -> None:
    same(_run(LOOP_UNTIL_A_TIMER).status, 0, "status")


@patch("emu.host.host_signals.PERIOD", 3600)
def a_timer_reaches_a_loop_of_touches() -> None:
    same(_run(TOUCH_UNTIL_A_TIMER).status, 0, "status")


class _Calls(Observer):
    def __init__(self) -> None:
        self.reported: list[tuple[int, int | None]] = []
        """Each call's number, and None as it begins or its result."""

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        self.reported.append((number, None))

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        self.reported.append((number, result))


def an_observer_sees_each_call_begin_and_end() -> None:
    observer = _Calls()
    _run(CALLS, observer)
    calls = [result for number, result in observer.reported if number == _GETPPID]
    same(calls, [None, 1] * 200, "what is reported of getppid")


class _Stops(Observer):
    """Requests a stop at the 100th call, as Ctrl-C or a time limit does."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.calls = self.after = 0

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        self.calls += 1
        self.after += self.calls > 100
        if self.calls == 100:
            self._kernel.call_soon(_stop)


def _stop() -> NoReturn:
    raise Stopped(7, "stopped")


def a_request_is_handled_at_the_next_trap() -> None:
    session = Session(Options(timeout=SECONDS, memory=64 << 20), [str(compiled(CALLS))])
    observer = _Stops(session.kernel)
    same(session.run([observer]), 7, "status")
    assert observer.after <= 2, f"{observer.after} calls were begun before it was handled"


class _Faults(Observer):
    def __init__(self) -> None:
        self.stores: list[tuple[int, int]] = []
        """stval and sepc of the program's; stval can be read only while the machine is stopped."""
        self.without_trap = 0

    def fault(self, event: Fault) -> None:
        if event.trap is None:
            self.without_trap += event.call is None
        elif event.trap.cause == Cause.STORE_PAGE_FAULT:
            self.stores.append((event.trap.tval, event.trap.epc))


def an_observer_sees_every_fault_and_its_trap() -> None:
    observer = _Faults()
    _run(TOUCHES, observer)
    same(observer.without_trap, 0, "faults of the program without a trap")
    touches = [epc for stval, epc in observer.stores if stval % 4096 == 5]
    same((len(touches), len(set(touches))), (50, 1), "stores, and places they are at")


@cache
def _allocations() -> int:
    return int(_run(TOUCHES).summary["frames_allocated"])


def a_store_that_finds_no_frame_is_one_kill() -> None:
    for back in range(3, 9):
        result = _run(TOUCHES, fail_allocation=_allocations() - back)
        same(result.status, 128 + 9, "status")
        same(result.summary["faults"]["out_of_memory"], 1, "faults that found no frame")
        same([note.split(":")[0] for note in result.notes], ["out of memory"], "notes")


EXCHANGES = r"""
static void on(int signo) {}
static void *body(void *argument) { return NULL; }
int main(int argc, char **argv) {
    syscall(259, argv, argv + 1, 0); /* riscv_flush_icache */
    catch(SIGUSR1, on, 0);
    raise(SIGUSR1);
    pthread_t thread;
    pthread_create(&thread, NULL, body, NULL);
    pthread_join(thread, NULL);
    if (argc < 2 && !fork())
        return execl("/proc/self/exe", "self", "again", NULL);
    wait(NULL);
}
"""


class _Ends(Observer):
    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report

    def exited(self, process: Process) -> None:
        self._report("exit_group")

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        if number == _EXIT:
            self._report("exit")


def the_hart_is_exchanged_only_while_the_engine_is_stopped() -> None:
    """The protocol Vector forbids it to load registers, or change or end a program."""
    session = Session(Options(timeout=SECONDS, memory=64 << 20), [str(compiled(EXCHANGES))])
    hart, engine, runs = session.kernel.hart, session.kernel.hart._engine, [False]

    def check_stopped(what: str) -> None:
        assert not runs[0], f"{what} while the engine runs"

    def run(pc: int, count: int = 0) -> int:
        runs[0] = True
        try:
            return right_run(pc, count)
        finally:
            runs[0] = False

    def load(registers: Registers) -> None:
        check_stopped("registers are loaded")
        right_load(registers)

    def fence_code() -> None:
        check_stopped("code is dropped")
        right_fence()

    right_run, right_load, right_fence = engine.run, hart.load, hart.fence_code
    with (
        patch.object(engine, "run", run),
        patch.object(hart, "load", load),
        patch.object(hart, "fence_code", fence_code),
    ):
        status = session.run([_Ends(check_stopped)])
    require_end(status)
    same(status, 0, "status")


CHECKS = [
    Check(f"vector: {function.__name__.replace('_', ' ')}", function, prepare)
    for function, prepare in (
        (an_observer_sees_every_fault_and_its_trap, partial(compiled, TOUCHES)),
        (an_observer_sees_each_call_begin_and_end, partial(compiled, CALLS)),
        (a_request_is_handled_at_the_next_trap, partial(compiled, CALLS)),
        (a_store_that_finds_no_frame_is_one_kill, _allocations),
        (
            the_hart_is_exchanged_only_while_the_engine_is_stopped,
            partial(compiled, EXCHANGES),
        ),
        (a_timer_reaches_a_loop_of_calls, partial(compiled, LOOP_UNTIL_A_TIMER)),
        (a_timer_reaches_a_loop_of_touches, partial(compiled, TOUCH_UNTIL_A_TIMER)),
    )
]

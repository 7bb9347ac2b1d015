"""Do CPU clocks count the machine's work, and not the time that passes on the host?"""

from __future__ import annotations

import time

import pytest

from kernel.base.clock import HostClock
from tests.kernel.syscalls.guests import output

_WORK = """
static long long at(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}
static void work(void) /* until it has cost 5 ms */
{
    long long end = at(CLOCK_PROCESS_CPUTIME_ID) + 5000000;
    while (at(CLOCK_PROCESS_CPUTIME_ID) < end)
        ;
}
static long long used(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}
"""


class FastClock(HostClock):
    """A host on which a thousand times as much time passes as the machine works."""

    def __init__(self) -> None:
        super().__init__()
        start = time.monotonic_ns()
        self.monotonic = lambda: start + 1000 * (time.monotonic_ns() - start)


def test_cpu_time_is_not_the_time_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernel.process.state.HostClock", FastClock)
    text = """
    int main(void) {
        long long passed = at(CLOCK_MONOTONIC);
        long long cpu = at(CLOCK_PROCESS_CPUTIME_ID), thread = at(CLOCK_THREAD_CPUTIME_ID);
        work();
        passed = at(CLOCK_MONOTONIC) - passed;
        cpu = at(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        thread = at(CLOCK_THREAD_CPUTIME_ID) - thread;
        say("%d %d %d", cpu * 100 < passed, thread * 100 < passed, used(RUSAGE_SELF) >= 5000000);
    }"""
    assert output(_WORK + text, deterministic=False) == ["1 1 1"]


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_parent_gets_the_time_of_the_children_that_it_waited_for(*, deterministic: bool) -> None:
    text = """
    int main(void) {
        int status;
        struct rusage usage;
        pid_t pid = fork();
        if (!pid) {
            pid_t other = fork();
            if (!other)
                work(), _exit(0);
            waitpid(other, &status, 0);
            work(), _exit(0);
        }
        long long before = used(RUSAGE_SELF);
        wait4(pid, &status, 0, &usage);
        long long child = usage.ru_utime.tv_sec * 1000000LL + usage.ru_utime.tv_usec;
        say("%d %d %d", child >= 10000, used(RUSAGE_CHILDREN) / 1000 == child,
            used(RUSAGE_SELF) - before < used(RUSAGE_CHILDREN));
    }"""
    assert output(_WORK + text, deterministic=deterministic) == ["1 1 1"]


def test_switches_are_counted_by_their_reason() -> None:
    text = """
    int main(void) {
        struct rusage before, after;
        int ends[2], status;
        char byte;
        if (pipe(ends)) return 1;
        pid_t pid = fork();
        if (!pid) {
            for (int n = 0; n < 5; n++) if (write(ends[1], "x", 1) != 1 || sched_yield()) return 1;
            _exit(0);
        }
        getrusage(RUSAGE_SELF, &before);
        for (int n = 0; n < 5; n++) if (read(ends[0], &byte, 1) != 1) return 1;
        getrusage(RUSAGE_SELF, &after);
        waitpid(pid, &status, 0);
        getrusage(RUSAGE_CHILDREN, &before);
        say("%d %d", after.ru_nvcsw > 0, before.ru_nivcsw >= 1);
    }"""
    assert output(text) == ["1 1"]

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
static long long sum(struct rusage *usage)
{
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000LL +
           (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000LL;
}
static long long used(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return sum(&usage);
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
        long long child = sum(&usage);
        say("%d %d %d", child >= 10000000, used(RUSAGE_CHILDREN) == child,
            used(RUSAGE_SELF) - before < used(RUSAGE_CHILDREN));
    }"""
    assert output(_WORK + text, deterministic=deterministic) == ["1 1 1"]


_SPLIT = """
static long long us(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }
static struct rusage own(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage;
}
static void compute(void)
{
    for (volatile int n = 0; n < 3000000; n++)
        ;
}
"""


@pytest.mark.parametrize("deterministic", [False, True])
def test_is_the_time_of_a_loop_without_calls_user_time(*, deterministic: bool) -> None:
    text = """
    int main(void) {
        struct rusage before = own();
        compute();
        struct rusage after = own();
        long long user = us(after.ru_utime) - us(before.ru_utime);
        say("%d", user > 3 * (us(after.ru_stime) - us(before.ru_stime)));
    }"""
    assert output(_SPLIT + text, deterministic=deterministic) == ["1"]


@pytest.mark.parametrize("call", ["read(fd, bytes, sizeof bytes)", "fork_and_wait()"])
def test_is_the_time_of_long_calls_system_time(call: str) -> None:
    text = f"""
    static char bytes[1 << 20];
    static int fd;
    static void fork_and_wait(void) {{ if (!fork()) _exit(0); wait(NULL); }}
    int main(void) {{
        fd = open("/dev/zero", O_RDONLY);
        struct rusage before = own();
        for (int n = 0; n < 500; n++)
            {call};
        struct rusage after = own();
        long long user = us(after.ru_utime) - us(before.ru_utime);
        say("%d", us(after.ru_stime) - us(before.ru_stime) > user);
    }}"""
    assert output(_SPLIT + text, deterministic=False, check=False) == ["1"]


@pytest.mark.parametrize("deterministic", [False, True])
def test_do_all_who_report_the_time_of_children_agree(*, deterministic: bool) -> None:
    text = """
    #include <sys/times.h>
    int main(void) {
        if (!fork()) { compute(); for (int n = 0; n < 20000; n++) getppid(); _exit(0); }
        wait(NULL);
        struct rusage usage;
        getrusage(RUSAGE_CHILDREN, &usage);
        struct tms times_of;
        times(&times_of);
        long user, system;
        FILE *file = fopen("/proc/self/stat", "r");
        for (int n = 0; n < 15; n++) fscanf(file, "%*s");
        fscanf(file, "%ld %ld", &user, &system);
        say("%d %d\\n", us(usage.ru_utime) > 0, us(usage.ru_stime) > 0);
        say("%d %d\\n", user == times_of.tms_cutime, system == times_of.tms_cstime);
        say("%d %d", user == us(usage.ru_utime) / 10000, system == us(usage.ru_stime) / 10000);
    }"""
    assert output(_SPLIT + text, deterministic=deterministic) == ["1 1"] * 3


def test_does_a_virtual_timer_count_user_time_only() -> None:
    text = """
    static volatile int expired;
    static long long at_prof, at_virtual;
    static void on_prof(int signo) { at_prof = us(own().ru_utime); }
    static void on_virtual(int signo) { at_virtual = us(own().ru_utime); expired = 1; }
    int main(void) {
        struct itimerval value = {.it_value = {0, 5000}};
        catch(SIGPROF, on_prof, 0);
        catch(SIGVTALRM, on_virtual, 0);
        long long start = us(own().ru_utime);
        setitimer(ITIMER_VIRTUAL, &value, NULL);
        setitimer(ITIMER_PROF, &value, NULL);
        while (!expired)
            getppid();
        say("%d %d", at_prof && at_prof < start + 5000, at_virtual >= start + 5000);
    }"""
    assert output(_SPLIT + text) == ["1 1"]


class BusyClock(HostClock):
    """A host whose machine takes fifty times as much CPU time."""

    def __init__(self) -> None:
        super().__init__()
        self.cpu_time = lambda: 50 * time.thread_time_ns()


@pytest.mark.parametrize(
    ("limits", "lines"),  # what Linux 6.18 prints
    [
        ("1, 3", ["1 128: 2 3", "1 128: 3 3", "killed by 9"]),
        ("0, 2", ["1 128: 1 2", "1 128: 2 2", "killed by 9"]),
        ("1, 1", ["killed by 9"]),
        ("0, 0", ["killed by 9"]),
    ],
)
def test_does_the_limit_of_cpu_time_signal_each_second_and_kill(
    limits: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.process.state.HostClock", BusyClock)
    text = f"""
    static void on_limit(int signo, siginfo_t *info, void *context) {{
        struct rlimit limit;
        getrlimit(RLIMIT_CPU, &limit);
        say("%d %d: %ld %ld\\n", signo == SIGXCPU, info->si_code, (long)limit.rlim_cur,
            (long)limit.rlim_max);
    }}
    int main(void) {{
        int status;
        catch_info(SIGXCPU, on_limit, 0);
        if (!fork()) {{
            setrlimit(RLIMIT_CPU, &(struct rlimit){{{limits}}});
            for (;;) getppid();
        }}
        wait(&status);
        say("killed by %d", WTERMSIG(status));
    }}"""
    assert output(text, deterministic=False) == lines


def test_is_the_limit_of_cpu_time_inherited_and_each_ones_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kernel.process.state.HostClock", BusyClock)
    text = """
    int main(void) {
        int status;
        struct rlimit limit = {1, RLIM_INFINITY};
        setrlimit(RLIMIT_CPU, &limit);
        if (!fork()) for (;;) getppid();
        wait(&status);
        getrlimit(RLIMIT_CPU, &limit);
        say("%d %ld", WTERMSIG(status) == SIGXCPU, (long)limit.rlim_cur);
    }"""
    assert output(text, deterministic=False) == ["1 1"]


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

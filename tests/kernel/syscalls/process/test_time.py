"""Do clocks, sleeps and timers behave as in their man pages?"""

import pytest

from tests.kernel.syscalls.guests import output, run, same_as_qemu


def test_clocks_that_there_are_and_are_not() -> None:
    assert output(r"""
    struct timespec time, before;
    for (int id = 0; id < 13; id++)
        say("%d ", (int)syscall(SYS_clock_gettime, id, &time) == 0);
    say("\n");
    clock_gettime(CLOCK_MONOTONIC, &before);
    clock_gettime(CLOCK_MONOTONIC, &time);
    say("forward %d\n", time.tv_sec > before.tv_sec || time.tv_nsec >= before.tv_nsec);
    TRY(syscall(SYS_clock_getres, 99, &time));
    TRY(syscall(SYS_clock_gettime, 0, 8));
    TRY(clock_settime(CLOCK_REALTIME, &time));
    return 0;
""") == ["1 1 1 1 1 1 1 1 0 0 0 1 0 ", "forward 1", "syscall(SYS_clock_getres, 99, &time): EINVAL",
         "syscall(SYS_clock_gettime, 0, 8): EFAULT", "clock_settime(CLOCK_REALTIME, &time): EPERM"]  # fmt: skip  # noqa: E501


def test_bad_times_are_refused() -> None:
    same_as_qemu(r"""
    TRY(nanosleep(&(struct timespec){0, 1000000000}, NULL));
    TRY(nanosleep(&(struct timespec){-1, 0}, NULL));
    TRY(nanosleep(&(struct timespec){0, -1}, NULL));
    TRY(nanosleep(&(struct timespec){0, 0}, NULL));
    struct timespec past = {1, 0};
    TRY(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL));
    TRY(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &past, NULL));
    TRY(syscall(SYS_clock_nanosleep, 99, 0, &past, NULL));
    TRY(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 1000000}}, NULL));
    TRY(setitimer(9, &(struct itimerval){{0, 0}, {0, 0}}, NULL));
    TRY(getitimer(9, &(struct itimerval){{0, 0}, {0, 0}}));
    return 0;
""")


def test_sleeping_lasts_at_least_as_long_as_was_asked_for() -> None:
    assert output(r"""
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    nap(30);
    clock_gettime(CLOCK_MONOTONIC, &b);
    say("%d\n", (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec >= 30000000);
    b.tv_nsec += 20000000;
    if (b.tv_nsec >= 1000000000) { b.tv_nsec -= 1000000000; b.tv_sec++; }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &b, NULL);
    clock_gettime(CLOCK_MONOTONIC, &a);
    say("%d\n", a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec >= b.tv_nsec));
    return 0;
""", deterministic=False) == ["1", "1"]  # fmt: skip


def test_a_day_passes_at_once_on_a_virtual_clock() -> None:
    assert output(r"""
    time_t before = time(NULL);
    say("%ld\n", before);
    sleep(86400);
    say("%ld\n", time(NULL) - before);
    return 0;
""") == ["1577836801", "86400"]  # fmt: skip


def test_an_interval_timer_comes_again_and_again() -> None:
    same_as_qemu(r"""
static volatile int ticks;
static void on(int signo) { ticks++; }
int main(void) {
    catch(SIGALRM, on, 0);
    struct itimerval old;
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 5000}, {0, 5000}}, NULL);
    while (ticks < 5) pause();
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, &old);
    say("interval %ld left %d\n", old.it_interval.tv_usec, old.it_value.tv_usec > 0);
    int now = ticks;
    nap(30);
    say("quiet %d\n", ticks == now);
    say("none left %u\n", alarm(100));
    say("left %d\n", alarm(0) >= 99);
}
""")


def test_an_alarm_is_not_inherited_by_a_child() -> None:
    assert output(r"""
    signal(SIGALRM, SIG_DFL);
    int status;
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 60000}}, NULL);
    if (!fork()) { nap(120); _exit(3); }
    signal(SIGALRM, SIG_IGN);
    waitpid(-1, &status, 0);
    say("%s\n", how(status));
    return 0;
""") == ["exited 3"]  # fmt: skip


def test_an_alarm_kills_one_that_computes_and_never_calls() -> None:
    for deterministic in (False, True):
        result = run(
            "ualarm(50000, 0); for (volatile int i = 0;; i++) {}",
            deterministic=deterministic,
        )
        assert result.status == 128 + 14


def test_posix_timers() -> None:
    assert output(r"""
static volatile int got;
static void on(int signo, siginfo_t *info, void *context) {
    say("signo %d code %d value %d\n", signo == SIGRTMIN, info->si_code, info->si_value.sival_int);
    got++;
}
int main(void) {
    catch_info(SIGRTMIN, on, 0);
    timer_t timer, silent;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN,
                             .sigev_value.sival_int = 7};
    TRY(timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec spec = {{0, 0}, {0, 10000000}}, now;
    TRY(timer_settime(timer, 0, &spec, NULL));
    timer_gettime(timer, &now);
    say("left %d\n", now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 10000000);
    while (got < 1) pause();
    timer_gettime(timer, &now);
    say("off %d\n", !now.it_value.tv_sec && !now.it_value.tv_nsec);
    SHOW(timer_getoverrun(timer));
    event.sigev_notify = SIGEV_NONE;
    TRY(timer_create(CLOCK_REALTIME, &event, &silent));
    clock_gettime(CLOCK_REALTIME, &spec.it_value);
    spec.it_value.tv_sec += 100;
    TRY(timer_settime(silent, TIMER_ABSTIME, &spec, NULL));
    timer_gettime(silent, &now);
    say("left %d\n", now.it_value.tv_sec >= 98 && now.it_value.tv_sec <= 100);
    TRY(timer_delete(timer));
    TRY(syscall(SYS_timer_delete, 77));
    TRY(syscall(SYS_timer_gettime, 77, &now));
    event.sigev_notify = 9;
    TRY(syscall(SYS_timer_create, 0, &event, &timer));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 99;
    TRY(syscall(SYS_timer_create, 0, &event, &timer));
    TRY(syscall(SYS_timer_create, 99, NULL, &timer));
    spec.it_value.tv_nsec = -1;
    TRY(syscall(SYS_timer_settime, 1, 0, &spec, NULL));
    return 0;
}
""") == [
        "timer_create(CLOCK_MONOTONIC, &event, &timer): ok",
        "timer_settime(timer, 0, &spec, NULL): ok", "left 1",
        "signo 1 code -2 value 7", "off 1", "timer_getoverrun(timer) = 0",
        "timer_create(CLOCK_REALTIME, &event, &silent): ok",
        "timer_settime(silent, TIMER_ABSTIME, &spec, NULL): ok", "left 1",
        "timer_delete(timer): ok", "syscall(SYS_timer_delete, 77): EINVAL",
        "syscall(SYS_timer_gettime, 77, &now): EINVAL",
        "syscall(SYS_timer_create, 0, &event, &timer): EINVAL",
        "syscall(SYS_timer_create, 0, &event, &timer): EINVAL",
        "syscall(SYS_timer_create, 99, NULL, &timer): EINVAL",
        "syscall(SYS_timer_settime, 1, 0, &spec, NULL): EINVAL",
    ]  # fmt: skip


def test_a_timer_may_call_a_function_in_a_thread() -> None:
    assert output(r"""
static void later(union sigval value) { say("called with %d\n", value.sival_int); _exit(0); }
int main(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = later,
                             .sigev_value.sival_int = 5};
    TRY(timer_create(CLOCK_MONOTONIC, &event, &timer));
    timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 10000000}}, NULL);
    for (;;) pause();
}
""")[-1] == "called with 5"  # fmt: skip


def test_the_time_csr_can_be_read() -> None:
    assert output(r"""
    uint64_t a, b;
    asm volatile("rdtime %0" : "=r"(a));
    nap(5);
    asm volatile("rdtime %0" : "=r"(b));
    say("%d\n", b > a);
    return 0;
""") == ["1"]  # fmt: skip


@pytest.mark.parametrize("form", ["csrrs %0, time, zero", "csrrc %0, time, zero",
                                  "csrrsi %0, time, 0", "csrrci %0, time, 0"])  # fmt: skip
def test_each_instruction_that_only_reads_the_time_csr_does(form: str) -> None:
    assert output(f"""
    uint64_t a, b = 0;
    asm volatile("rdtime %0" : "=r"(a));
    asm volatile("{form}" : "+r"(b));
    asm volatile("rdtime zero");
    say("%d\\n", a && b >= a);
    return 0;
""") == ["1"]  # fmt: skip


@pytest.mark.parametrize("form", ["csrrw %0, time, zero", "csrrs %0, time, a0",
                                  "csrrci %0, time, 1", "csrrs %0, 0xc81, zero"])  # fmt: skip
def test_an_instruction_that_writes_the_time_csr_is_illegal(form: str) -> None:
    assert output(f"""
    int status;
    if (!fork()) {{
        uint64_t a;
        asm volatile("{form}" : "=r"(a));
        _exit(0);
    }}
    wait(&status);
    say("%d %d\\n", WIFSIGNALED(status), WTERMSIG(status) == SIGILL);
    return 0;
""") == ["1 1"]  # fmt: skip


def test_usage_and_times() -> None:
    assert output(r"""
    struct rusage usage;
    TRY(getrusage(RUSAGE_SELF, &usage));
    say("%d\n", usage.ru_maxrss > 0);
    TRY(getrusage(RUSAGE_CHILDREN, &usage));
    TRY(getrusage(9, &usage));
    struct timeval now;
    struct timezone zone;
    TRY(gettimeofday(&now, &zone));
    say("%d\n", now.tv_sec > 1500000000 && now.tv_usec < 1000000);
    return 0;
""") == ["getrusage(RUSAGE_SELF, &usage): ok", "1", "getrusage(RUSAGE_CHILDREN, &usage): ok",
         "getrusage(9, &usage): EINVAL", "gettimeofday(&now, &zone): ok", "1"]  # fmt: skip


def test_getrusage_counts_page_faults() -> None:
    assert output(r"""
    static struct rusage before, after, all;
    char *p = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    getrusage(RUSAGE_SELF, &before);
    getrusage(RUSAGE_SELF, &after);
    getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < 8; i++)
        p[i * 4096] = 1;
    getrusage(RUSAGE_SELF, &after);
    say("%ld\n", after.ru_minflt - before.ru_minflt);
    if (!fork()) {
        getrusage(RUSAGE_SELF, &before);
        say("%d\n", before.ru_minflt < 8);
        for (int i = 0; i < 8; i++)
            p[i * 4096] = 2;
        _exit(0);
    }
    int status;
    wait4(-1, &status, 0, &after);
    getrusage(RUSAGE_CHILDREN, &all);
    say("%d %d\n", after.ru_minflt >= 8, after.ru_minflt == all.ru_minflt);
    return 0;
""") == ["8", "1", "1 1"]  # fmt: skip

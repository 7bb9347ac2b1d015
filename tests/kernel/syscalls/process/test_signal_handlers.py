"""Has a handler the right stack, mask and siginfo, and does it return to the program?"""

import pytest

from tests.kernel.syscalls.guests import output, run, same_as_qemu

# Handlers.


def test_resethand_and_nodefer() -> None:
    result = run(r"""
static volatile int depth;
static void on(int signo) {
    say("enter %d depth %d\n", signo, ++depth);
    if (depth < 3)
        raise(signo);
    say("leave depth %d\n", depth--);
}
int main(void) {
    catch(SIGUSR1, on, SA_NODEFER);
    raise(SIGUSR1);
    depth = 2;
    catch(SIGUSR2, on, 0);
    raise(SIGUSR2);
    depth = 9;
    catch(SIGUSR1, on, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    say("default %d\n", now.sa_handler == SIG_DFL);
    raise(SIGUSR1);
}
""")
    assert result.status == 128 + 10
    assert result.stdout.decode().split("\n") == [
        "enter 10 depth 1", "enter 10 depth 2", "enter 10 depth 3",
        "leave depth 3", "leave depth 2", "leave depth 1",
        "enter 12 depth 3", "leave depth 3",
        "enter 10 depth 10", "leave depth 10", "default 1", "",
    ]  # fmt: skip


def test_a_handler_runs_on_the_alternative_stack_also_when_the_stack_is_gone() -> None:
    assert same_as_qemu(r"""
static char other[65536];
static void on(int signo, siginfo_t *info, void *context) {
    char here;
    stack_t now;
    sigaltstack(NULL, &now);
    say("on it %d, says so %d\n", &here > other && &here < other + sizeof other,
        now.ss_flags == SS_ONSTACK);
    TRY(sigaltstack(&(stack_t){.ss_sp = other, .ss_size = sizeof other}, NULL));
    _exit(4);
}
__attribute__((noinline)) static int deep(int n) {
    volatile char page[4096];
    page[0] = n;
    return deep(n + 1) + page[0];
}
int main(void) {
    TRY(sigaltstack(&(stack_t){.ss_sp = other, .ss_size = 100}, NULL));
    TRY(sigaltstack(&(stack_t){.ss_sp = other, .ss_size = sizeof other, .ss_flags = 77}, NULL));
    TRY(sigaltstack(&(stack_t){.ss_sp = other, .ss_size = sizeof other}, NULL));
    catch_info(SIGSEGV, on, SA_ONSTACK);
    return deep(0);
}
""")[-2:] == [
        "on it 1, says so 1",
        "sigaltstack(&(stack_t){.ss_sp = other, .ss_size = sizeof other}, NULL): EPERM",
    ]


def test_a_handler_in_a_handler_stays_below_it_on_the_alternative_stack() -> None:
    """The second frame does not begin at the stack's top again."""
    assert same_as_qemu(r"""
static char other[65536];
static char *volatile outer;
static void second(int signo) {
    char here;
    say("on it %d, below %d\n", &here > other && &here < other + sizeof other, &here < outer);
}
static void first(int signo) {
    volatile char mine[4096];
    outer = (char *)mine;
    memset((void *)mine, 'm', sizeof mine);
    raise(SIGUSR2);
    int wrong = 0;
    for (size_t i = 0; i < sizeof mine; i++) wrong += mine[i] != 'm';
    say("overwritten %d\n", wrong);
}
int main(void) {
    sigaltstack(&(stack_t){.ss_sp = other, .ss_size = sizeof other}, NULL);
    catch(SIGUSR1, first, SA_ONSTACK);
    catch(SIGUSR2, second, SA_ONSTACK);
    raise(SIGUSR1);
    say("back\n");
    return 0;
}
""") == ["on it 1, below 1", "overwritten 0", "back"]


def test_the_mask_in_a_handler_and_after_it() -> None:
    assert output(r"""
static void show(const char *when) {
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    say("%s: %d %d %d\n", when, sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2),
        sigismember(&now, SIGTERM));
}
static void on(int signo, siginfo_t *info, void *context) {
    show("in");
    ucontext_t *user = context;
    sigaddset(&user->uc_sigmask, SIGTERM);  /* takes effect at return */
}
int main(void) {
    struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO,
                               .sa_mask = set_of(SIGUSR2, SIGKILL)};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    show("after");
}
""") == ["in: 1 1 0", "after: 0 0 1"]  # fmt: skip


def test_a_handler_may_change_where_and_with_what_the_program_goes_on() -> None:
    same_as_qemu(r"""
static void on(int signo, siginfo_t *info, void *context) {
    ucontext_t *user = context;
    say("at the ebreak %d\n", *(uint16_t *)user->uc_mcontext.__gregs[0] == 0x9002);
    user->uc_mcontext.__gregs[0] += 2;
    user->uc_mcontext.__gregs[10] = 42;
}
int main(void) {
    catch_info(SIGTRAP, on, 0);
    register long a0 asm("a0") = 1;
    double f = 1.5;
    asm volatile("c.ebreak" : "+r"(a0));
    say("a0 %ld f %g\n", a0, f * 2);
}
""")


def test_sigkill_and_sigstop_can_be_neither_caught_nor_blocked() -> None:
    same_as_qemu(r"""
    struct sigaction action = {.sa_handler = SIG_IGN};
    TRY(sigaction(SIGKILL, &action, NULL));
    TRY(sigaction(SIGSTOP, &action, NULL));
    TRY(sigaction(0, &action, NULL));
    TRY(sigaction(65, &action, NULL));
    TRY(sigaction(SIGKILL, NULL, &action));
    sigset_t all, now;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigprocmask(SIG_SETMASK, NULL, &now);
    say("%d %d %d\n", sigismember(&now, SIGKILL), sigismember(&now, SIGSTOP),
        sigismember(&now, SIGTERM));
    TRY(sigprocmask(9, &all, NULL));
    return 0;
""")


# siginfo.


INFO = r"""
static void on(int signo, siginfo_t *info, void *context) {
    say("signo %d code %d errno %d", info->si_signo, info->si_code, info->si_errno);
    say(" pid %d uid %d value %d\n", info->si_pid == getpid(), info->si_uid == getuid(),
        info->si_value.sival_int);
}
int main(void) {
    catch_info(SIGUSR1, on, 0);
    catch_info(SIGRTMIN + 1, on, 0);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR1);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 77});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = -1});
}
"""


def test_who_sent_it() -> None:
    lines = output(INFO)
    assert [line.split(" errno")[0] for line in lines] == [
        "signo 10 code 0", "signo 10 code -6", "signo 10 code -1", "signo 35 code -1",
    ]  # fmt: skip


FAULT = r"""
static char *page;
static void on(int signo, siginfo_t *info, void *context) {
    ucontext_t *user = context;
    uintptr_t pc = user->uc_mcontext.__gregs[0];
    say("signo %d code %d at page+%ld, at pc %d\n", signo, info->si_code,
        (char *)info->si_addr - page, (uintptr_t)info->si_addr == pc);
    _exit(0);
}
int main(int argc, char **argv) {
    catch_info(SIGSEGV, on, 0);
    catch_info(SIGBUS, on, 0);
    catch_info(SIGILL, on, 0);
    catch_info(SIGTRAP, on, 0);
    page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    switch (atoi(argv[1])) {
    case 0: page[5] = 1; break;
    case 1: munmap(page, 8192); page[6] = 1; break;
    case 2: asm volatile(".word 0" ::: "memory"); break;
    case 3: asm volatile("ebreak"); break;
    case 4: ((void (*)(void))(page + 8))(); break;
    case 5: {
        int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        char *file = mmap(page, 8192, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
        say("%d\n", file[4100]);
        break;
    }
    case 6: munmap(page + 4096, 4096); say("%ld\n", *(volatile long *)(page + 4092)); break;
    }
}
"""


@pytest.mark.parametrize(
    "number, expected",
    [
        (0, "signo 11 code 2 at page+5, at pc 0"),
        (1, "signo 11 code 1 at page+6, at pc 0"),
        (2, None),
        (3, None),
        (4, "signo 11 code 2 at page+8, at pc 1"),
        (5, "signo 7 code 2 at page+4100, at pc 0"),
        (6, "signo 11 code 1 at page+4096, at pc 0"),
    ],
)
def test_what_a_fault_reports(number: int, expected: str | None) -> None:
    lines = output(FAULT, str(number))
    if expected is not None:
        assert lines == [expected]
    elif number == 2:
        assert lines[0].startswith("signo 4 code 1") and lines[0].endswith("at pc 1")
    else:
        assert lines[0].startswith("signo 5 code 1") and lines[0].endswith("at pc 1")
    if number not in (5, 6):
        same_as_qemu(FAULT.replace('at page+%ld', 'at').replace(
            "(char *)info->si_addr - page, ", ""), str(number))  # fmt: skip


@pytest.mark.parametrize("how", ["blocked", "ignored"])
def test_a_fault_whose_signal_is_blocked_or_ignored_kills(how: str) -> None:
    result = run(r"""
    sigset_t set = set_of(SIGSEGV, 0);
    if (argv[1][0] == 'b')
        sigprocmask(SIG_BLOCK, &set, NULL);
    else
        signal(SIGSEGV, SIG_IGN);
    *(volatile int *)8 = 1;
    say("not reached\n");
    return 0;
""", how)  # fmt: skip
    assert (result.status, result.stdout) == (139, b"")


def test_a_handler_whose_frame_has_no_room_kills_with_sigsegv() -> None:
    result = run(r"""
static void on(int signo) { say("not reached\n"); }
int main(void) {
    catch(SIGUSR1, on, 0);
    asm volatile("li sp, 64\n li a7, 172\n ecall\n li a1, 10\n li a7, 130\n ecall\n"
                 ::: "a0", "a1", "a7", "memory");
}
""")
    assert (result.status, result.stdout) == (139, b"")


def test_a_frame_that_was_overwritten_kills_and_breaks_nothing() -> None:
    for sp in ("8", "0x7fffffffffffffff", "-16", "0x4000000000"):
        result = run(f'asm volatile("li sp, {sp}\\n li a7, 139\\n ecall"); return 0;')
        assert result.status == 139


@pytest.mark.parametrize("pc", ["0", "1", "3", "-2", "0x4000000000", "0x8000000000000000"])
def test_returning_to_nowhere_is_a_fault_of_the_program(pc: str) -> None:
    result = run(f"""
static void on(int signo, siginfo_t *info, void *context) {{
    ((ucontext_t *)context)->uc_mcontext.__gregs[0] = {pc};
}}
int main(void) {{ catch_info(SIGUSR1, on, 0); raise(SIGUSR1); return 0; }}
""")
    assert result.status == 139


def test_sigpipe_kills_and_ignored_is_epipe() -> None:
    source = r"""
    int pipes[2];
    pipe(pipes);
    close(pipes[0]);
    if (argc > 1)
        signal(SIGPIPE, SIG_IGN);
    SHOW(write(pipes[1], "x", 1));
    return 0;
"""
    assert same_as_qemu(source, "ignore") == ['write(pipes[1], "x", 1) = EPIPE']
    assert run(source).status == 128 + 13


def test_kill_errors() -> None:
    same_as_qemu(r"""
    TRY(kill(getpid(), 0));
    TRY(kill(getpid(), -1));
    TRY(kill(getpid(), 65));
    TRY(kill(99999, 0));
    TRY(kill(-99999, SIGTERM));
    TRY(kill(INT_MIN, 0));
    TRY(syscall(SYS_tgkill, getpid(), getpid(), 0));
    TRY(syscall(SYS_tgkill, 0, getpid(), 0));
    TRY(syscall(SYS_tgkill, getpid() + 1, getpid(), 0));
    TRY(syscall(SYS_tkill, -1, 0));
    TRY(syscall(SYS_tkill, 99999, 0));
    return 0;
""")


def test_a_zombie_can_be_signalled_and_a_reaped_one_not() -> None:
    same_as_qemu(r"""
    siginfo_t info;
    pid_t child = fork();
    if (!child)
        _exit(0);
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    TRY(kill(child, SIGTERM));
    waitpid(child, NULL, 0);
    TRY(kill(child, 0));
    return 0;
""")


def test_a_group_is_signalled() -> None:
    assert output(r"""
    int pipes[2], status;
    pipe(pipes);
    pid_t first = 0;
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (!child) {
            pause();
            _exit(0);
        }
        if (!first)
            first = child;
        TRY(setpgid(child, first));
    }
    kill(-first, SIGTERM);
    for (int i = 0; i < 3; i++) {
        waitpid(-first, &status, 0);
        say("%s\n", how(status));
    }
    SHOW(waitpid(-first, &status, 0));
    return 0;
""") == ["setpgid(child, first): ok"] * 3 + ["killed 15"] * 3 + ["waitpid(-first, &status, 0) = ECHILD"]  # fmt: skip  # noqa: E501


def test_a_flood_of_queued_signals_does_not_keep_sigkill_out() -> None:
    assert output(r"""
    int status;
    pid_t child = fork();
    if (!child) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        for (int i = 0; i < 1100; i++)
            sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
        pause();
        _exit(1);
    }
    nap(50);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    say("%s\n", how(status));
    return 0;
""") == ["killed 9"]  # fmt: skip


def test_ignoring_a_pending_signal_discards_it() -> None:
    same_as_qemu(r"""
    sigset_t set = set_of(SIGTERM, 0), pending;
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGTERM);
    signal(SIGTERM, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    sigpending(&pending);
    say("%d\n", sigismember(&pending, SIGTERM));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return 0;
""")


def test_many_handlers_in_handlers_leave_the_registers_as_they_were() -> None:
    """A timer interrupts a computation thousands of times, on the virtual clock."""
    assert output(r"""
static volatile int ticks;
static void on(int signo) { ticks++; }
int main(void) {
    catch(SIGALRM, on, SA_RESTART);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 2000}, {0, 2000}}, NULL);
    uint64_t x = 1, y = 1;
    double f = 1;
    while (ticks < 100)
        for (int i = 0; i < 1000; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            y = y * 6364136223846793005u + 1442695040888963407u;
            f = f * 1.0000001;
            if (x != y || f != f)
                return 9;
        }
    say("whole\n");
}
""") == ["whole"]  # fmt: skip

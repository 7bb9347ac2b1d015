"""Does a parent get the state of its children as in Linux, and who gets the orphans?"""

import pytest

from tests.kernel.syscalls.guests import output, run, same_as_qemu

# Waiting.


def test_every_way_to_end_and_how_it_is_reported() -> None:
    same_as_qemu(r"""
    int status;
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (!child) {
            switch (i) {
            case 0: _exit(0);
            case 1: _exit(300);
            case 2: kill(getpid(), SIGKILL);
            case 3: raise(SIGTERM);
            case 4: exit(-1);
            }
        }
        say("%d ", waitpid(child, &status, 0) == child);
        say("%s\n", how(status));
    }
    SHOW(wait(&status));
    SHOW(waitpid(-1, &status, WNOHANG));
    return 0;
""")


def test_which_children_wait4_means() -> None:
    same_as_qemu(r"""
    int pipes[2], status;
    pipe(pipes);
    pid_t a = fork();
    if (!a) { setpgid(0, 0); await(pipes[0]); _exit(1); }
    pid_t b = fork();
    if (!b) _exit(2);
    setpgid(a, a);
    SHOW(waitpid(a, &status, WNOHANG));
    SHOW(waitpid(-a, &status, WNOHANG));
    TRY(waitpid(-99999, &status, WNOHANG));
    TRY(waitpid(getpid(), &status, WNOHANG));
    say("%d %s\n", waitpid(0, &status, 0) == b, how(status));
    TRY(waitpid(0, &status, 0));
    write(pipes[1], "x", 1);
    say("%d %s\n", waitpid(-a, &status, 0) == a, how(status));
    TRY(wait4(-1, &status, 0x1000, NULL));
    TRY(wait4(INT_MIN, &status, 0, NULL));
    return 0;
""")


def test_waitid_and_its_siginfo() -> None:
    same_as_qemu(r"""
    siginfo_t info;
    int pipes[2];
    pipe(pipes);
    pid_t child = fork();
    if (!child) { await(pipes[0]); _exit(9); }
    memset(&info, 1, sizeof info);
    TRY(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
    say("pid %d signo %d\n", info.si_pid, info.si_signo);
    kill(child, SIGSTOP);
    TRY(waitid(P_PID, child, &info, WSTOPPED));
    say("%d: code %d status %d signo %d\n", info.si_pid == child,
        info.si_code, info.si_status, info.si_signo);
    kill(child, SIGCONT);
    TRY(waitid(P_PID, child, &info, WCONTINUED));
    say("%d: code %d status %d\n", info.si_pid == child, info.si_code, info.si_status);
    write(pipes[1], "x", 1);
    for (int i = 0; i < 3; i++) {
        TRY(waitid(P_PID, child, &info, WEXITED | (i ? 0 : WNOWAIT)));
        say("%d: code %d status %d uid %d\n", info.si_pid == child,
            info.si_code, info.si_status, info.si_uid == getuid());
    }
    TRY(waitid(P_ALL, 0, &info, 0));
    TRY(waitid(9, 0, &info, WEXITED));
    TRY(waitid(P_PID, -1, &info, WEXITED));
    TRY(waitid(P_ALL, 0, &info, WEXITED | 0x800));
    return 0;
""")


def test_stopped_and_continued_are_reported_once_each_and_only_when_asked_for() -> None:
    assert output(r"""
    int status;
    pid_t child = fork();
    if (!child) for (;;) pause();
    kill(child, SIGSTOP);
    nap(20);
    SHOW(waitpid(child, &status, WNOHANG));
    say("%d ", waitpid(child, &status, WUNTRACED) == child);
    say("%s\n", how(status));
    SHOW(waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED));
    kill(child, SIGCONT);
    nap(20);
    SHOW(waitpid(child, &status, WNOHANG | WUNTRACED));
    say("%d ", waitpid(child, &status, WNOHANG | WCONTINUED) == child);
    say("%s\n", how(status));
    kill(child, SIGSTOP);
    kill(child, SIGKILL);
    say("%d ", waitpid(child, &status, WUNTRACED) == child);
    say("%s\n", how(status));
    return 0;
""")[-5:] == ["1 stopped 19",
    "waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED) = 0",
    "waitpid(child, &status, WNOHANG | WUNTRACED) = 0", "1 continued", "1 killed 9"]  # fmt: skip


def test_sigchld_reports_who_and_how() -> None:
    assert output(r"""
static volatile int seen;
static void on(int signo, siginfo_t *info, void *context) {
    say("signo %d code %d status %d child %d\n", info->si_signo, info->si_code, info->si_status,
        info->si_pid > getpid());
    seen++;
}
int main(void) {
    catch_info(SIGCHLD, on, SA_RESTART);
    pid_t child = fork();
    if (!child) { raise(SIGSTOP); _exit(3); }
    while (seen < 1) pause();
    kill(child, SIGCONT);
    while (seen < 3) pause();
    catch_info(SIGCHLD, on, SA_RESTART | SA_NOCLDSTOP);
    child = fork();
    if (!child) { raise(SIGSTOP); raise(SIGTERM); }
    int status;
    waitpid(child, &status, WUNTRACED);
    say("%s\n", how(status));
    kill(child, SIGCONT);
    while (seen < 4) pause();
    return 0;
}
""") == [
        "signo 17 code 5 status 19 child 1", "signo 17 code 6 status 18 child 1",
        "signo 17 code 1 status 3 child 1", "stopped 19", "signo 17 code 2 status 15 child 1",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["ignore", "nocldwait"])
def test_children_whose_parent_ignores_their_end_are_reaped_at_once(how: str) -> None:
    assert output(r"""
static void on(int signo) {}
int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = argv[1][0] == 'i' ? SIG_IGN : on,
                               .sa_flags = argv[1][0] == 'i' ? 0 : SA_NOCLDWAIT | SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    pid_t child = 0;
    for (int i = 0; i < 5; i++)
        if (!(child = fork())) _exit(0);
    int status;
    SHOW(wait(&status));
    TRY(kill(child, 0));
    return 0;
}
""", how) == ["wait(&status) = ECHILD", "kill(child, 0): ESRCH"]  # fmt: skip


# Orphans.


def test_an_orphan_gets_init_as_its_parent_and_its_end_wakes_no_process() -> None:
    assert output(r"""
    int pipes[2], status;
    pipe(pipes);
    pid_t child = fork();
    if (!child) {
        if (!fork()) {
            while (getppid() != 1) nap(1);
            say("orphan's parent 1\n");
            _exit(0);
        }
        _exit(0);
    }
    waitpid(child, &status, 0);
    close(pipes[1]);
    nap(30);
    SHOW(wait(&status));
    return 0;
""") == ["orphan's parent 1", "wait(&status) = ECHILD"]  # fmt: skip


def test_a_subreaper_inherits_orphans_and_zombies() -> None:
    assert output(r"""
    int status, left;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_GET_CHILD_SUBREAPER, &left);
    pid_t me = getpid(), child = fork();
    if (!child) {
        if (!fork()) _exit(5);
        if (!fork()) { while (getppid() != me) nap(1); _exit(6); }
        nap(10);
        _exit(4);
    }
    int sum = 0;
    for (int i = 0; i < 3; i++) { wait(&status); sum += WEXITSTATUS(status); }
    say("subreaper %d, sum %d\n", left, sum);
    return 0;
""") == ["subreaper 1, sum 15"]  # fmt: skip


def test_a_dead_subreaper_inherits_nothing() -> None:
    assert output(r"""
    int pipes[2], status;
    pipe(pipes);
    pid_t reaper = fork();
    if (!reaper) {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        if (!fork()) {
            if (!fork()) {
                close(pipes[1]);
                nap(40);
                say("parent %d\n", getppid());
                _exit(0);
            }
            nap(20);
            _exit(0);
        }
        _exit(0);
    }
    nap(60);
    close(pipes[1]);
    await(pipes[0]);
    nap(20);
    return 0;
""") == ["parent 1"]  # fmt: skip


def test_the_run_goes_on_until_the_last_orphan_has_ended_and_has_the_first_ones_status() -> None:
    result = run(r"""
    if (!fork()) { nap(30); say("late\n"); _exit(9); }
    return 4;
""")
    assert (result.status, result.stdout) == (4, b"late\n")


def test_a_parents_death_signal() -> None:
    assert output(r"""
static void on(int signo) { say("signalled\n"); _exit(0); }
int main(void) {
    if (!fork()) {
        if (!fork()) {
            catch(SIGUSR1, on, 0);
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            for (;;) pause();
        }
        nap(20);
        _exit(0);
    }
    wait(NULL);
    nap(20);
    return 0;
}
""") == ["signalled"]  # fmt: skip

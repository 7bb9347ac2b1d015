"""Do processes begin, end and wait for each other as in Linux?"""

from pathlib import Path

import pytest

from emu import Machine
from kernel.process.process import Process
from tests.kernel.syscalls.guests import compiled, output, run, same_as_qemu

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
def test_children_nobody_wants_to_wait_for_are_reaped_at_once(how: str) -> None:
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


def test_an_orphan_gets_init_as_its_parent_and_its_end_bothers_nobody() -> None:
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


# Groups and sessions.


def test_process_groups_and_sessions() -> None:
    same_as_qemu(r"""
    int pipes[2], ready[2];
    pipe(pipes);
    pipe(ready);
    pid_t child = fork();
    if (!child) {
        say("same group %d\n", getpgid(0) == getpgid(getppid()));
        TRY(setsid());
        say("leader %d %d\n", getsid(0) == getpid(), getpgrp() == getpid());
        TRY(setsid());
        TRY(setpgid(0, 0));
        write(ready[1], "x", 1);
        await(pipes[0]);
        _exit(0);
    }
    await(ready[0]);
    TRY(setpgid(child, 0));
    TRY(setpgid(0, 99999));
    TRY(setpgid(99999, 0));
    TRY(setpgid(0, -1));
    TRY(getpgid(99999));
    TRY(getsid(99999));
    say("session %d\n", getsid(child) == child);
    write(pipes[1], "x", 1);
    return 0;
""")


def test_a_child_that_has_execed_can_not_be_moved_to_another_group() -> None:
    assert output(r"""
    if (argc > 1) { write(4, "x", 1); pause(); }
    int ready[2];
    pipe(ready);
    if (ready[1] != 4) return 9;
    pid_t child = fork();
    if (!child) execl("/proc/self/exe", "again", "child", NULL);
    await(ready[0]);
    TRY(setpgid(child, child));
    kill(child, SIGKILL);
    return 0;
""") == ["setpgid(child, child): EACCES"]  # fmt: skip


# Clone and vfork.


def test_vfork_shares_memory_and_holds_its_parent() -> None:
    assert output(r"""
    static volatile int shared;
    static volatile int order;
    pid_t child = vfork();
    if (!child) {
        shared = 42;
        nap(30);
        order = 1;
        _exit(3);
    }
    int status;
    say("%d %d\n", order, shared);
    waitpid(child, &status, 0);
    say("%s\n", how(status));
    return 0;
""") == ["1 42", "exited 3"]  # fmt: skip


def test_a_parent_in_vfork_takes_its_signals_afterwards_and_can_be_killed() -> None:
    assert output(r"""
static volatile int done, early;
static void on(int signo) { early = !done; say("handler\n"); }
int main(void) {
    catch(SIGUSR1, on, 0);
    pid_t me = getpid();
    if (!vfork()) {
        kill(me, SIGUSR1);
        nap(20);
        done = 1;
        _exit(0);
    }
    say("early %d\n", early);
    int status;
    pid_t middle = fork();
    if (!middle) {
        if (!vfork()) { nap(40); _exit(0); }
        _exit(1);
    }
    nap(10);
    kill(middle, SIGTERM);
    waitpid(middle, &status, 0);
    say("%s\n", how(status));
}
""") == ["handler", "early 0", "killed 15"]  # fmt: skip


def test_vfork_then_exec() -> None:
    assert sorted(output(r"""
    if (argc > 1) { say("child\n"); return 0; }
    if (!vfork()) { execl("/proc/self/exe", "self", "x", NULL); _exit(127); }
    say("parent\n");
    wait(NULL);
    return 0;
""")) == ["child", "parent"]  # fmt: skip


def test_posix_spawn_and_system() -> None:
    assert output(r"""
    if (argc > 1) { say("spawned %s\n", argv[1]); return 6; }
    extern char **environ;
    pid_t child;
    int status;
    char *words[] = {"self", "hello", NULL};
    int failed = posix_spawn(&child, "/proc/self/exe", NULL, NULL, words, environ);
    waitpid(child, &status, 0);
    say("%d\n", failed);
    say("%s\n", how(status));
    say("%s\n", strerrorname_np(posix_spawn(&child, "/none", NULL, NULL, words, environ)));
    SHOW(wait(&status));
    say("%s\n", how(system("exit 3")));
    return 0;
""") == ["spawned hello", "0", "exited 6", "ENOENT",
         "wait(&status) = ECHILD", "exited 127"]  # fmt: skip


def test_clone_flags() -> None:
    same_as_qemu_lines = output(r"""
#define CLONE(flags) syscall(SYS_clone, (flags), 0, 0, 0, 0)
int main(void) {
    TRY(CLONE(CLONE_THREAD | SIGCHLD));
    TRY(CLONE(CLONE_SIGHAND | SIGCHLD));
    TRY(CLONE(CLONE_NEWNS | SIGCHLD));
    TRY(CLONE(CLONE_NEWUSER | SIGCHLD));
    TRY(CLONE(100) || (_exit(0), 1) ? 0 : -1); // not a valid signal, so none is sent
    struct { uint64_t w[11]; } args = {{0}};
    TRY(syscall(SYS_clone3, &args, 8));
    TRY(syscall(SYS_clone3, 8, 88));
    TRY(syscall(SYS_clone3, &args, 8192));
    args.w[4] = 100;
    TRY(syscall(SYS_clone3, &args, 88));
    args.w[4] = SIGCHLD; args.w[5] = 4096;
    TRY(syscall(SYS_clone3, &args, 88));
    args.w[5] = 0;
    int status;
    long pid = syscall(SYS_clone3, &args, 64);
    if (!pid) _exit(8);
    waitpid(pid, &status, 0);
    say("%s\n", how(status));
    return 0;
}
""")
    assert same_as_qemu_lines == [
        "CLONE(CLONE_THREAD | SIGCHLD): EINVAL",
        "CLONE(CLONE_SIGHAND | SIGCHLD): EINVAL",
        "CLONE(CLONE_NEWNS | SIGCHLD): EINVAL",
        "CLONE(CLONE_NEWUSER | SIGCHLD): EINVAL",
        "CLONE(100) || (_exit(0), 1) ? 0 : -1: ok",
        "syscall(SYS_clone3, &args, 8): EINVAL",
        "syscall(SYS_clone3, 8, 88): EFAULT",
        "syscall(SYS_clone3, &args, 8192): E2BIG",
        "syscall(SYS_clone3, &args, 88): EINVAL",
        "syscall(SYS_clone3, &args, 88): EINVAL",
        "exited 8",
    ]


def test_shared_descriptors_and_directory() -> None:
    """CLONE_FILES and CLONE_FS; exec gives the child its own table before it closes any."""
    assert output(r"""
    if (argc > 1) {
        say("exec keeps 9: %d, lost 8: %d\n", fcntl(9, F_GETFD), fcntl(8, F_GETFD));
        return 0;
    }
    dup2(1, 8);
    fcntl(8, F_SETFD, FD_CLOEXEC);
    long child = syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0);
    if (!child) {
        dup2(1, 9);
        chdir("/tmp");
        execl("/proc/self/exe", "self", "x", NULL);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    char where[100];
    say("9 is mine too: %d, 8 stayed: %d, in %s\n", fcntl(9, F_GETFD),
        fcntl(8, F_GETFD), getcwd(where, 100));
    return 0;
""") == ["exec keeps 9: 0, lost 8: -1", "9 is mine too: 0, 8 stayed: 1, in /tmp"]  # fmt: skip


def test_exec_without_memory_for_its_own_descriptors_keeps_the_old_image() -> None:
    assert output(r"""
    if (argc > 1) {
        say("new image\n");
        return 0;
    }
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){4096, 4096});
    dup2(1, 4000); /* a large table */
    if (!syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0)) {
        static char block[1 << 16];
        int ends[2], first = 0;
        while (!pipe2(ends, O_NONBLOCK) && write(ends[1], block, sizeof block) > 0)
            if (!first) first = ends[0];
        read(first, block, sizeof block); /* room for a small image */
        TRY(execl("/proc/self/exe", "self", "x", NULL));
        _exit(3);
    }
    int status;
    wait(&status);
    say("%s\n", how(status));
    return 0;
""", memory=64 << 20) == [
        'execl("/proc/self/exe", "self", "x", NULL): ENOMEM',
        "exited 3",
    ]  # fmt: skip


def test_the_last_user_of_shared_descriptors_closes_them() -> None:
    assert output(r"""
    int ends[2];
    char byte;
    pipe(ends);
    if (!fork()) {
        close(ends[0]);
        for (int i = 0; i < 3; i++) {
            if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0)) continue;
            nap(20 * (i + 1));
            if (i == 1) { syscall(436, ends[1], ends[1], 2); _exit(0); } /* CLOSE_RANGE_UNSHARE */
            write(ends[1], &"abc"[i], 1);
            _exit(0);
        }
        _exit(0);
    }
    close(ends[1]);
    while (read(ends[0], &byte, 1) == 1) say("%c\n", byte);
    say("closed\n");
    return 0;
""") == ["a", "c", "closed"]  # fmt: skip


def test_the_end_of_a_process_does_not_scan_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Process] = []

    def alive(process: Process) -> bool:
        looks.append(process)
        return process.status is None

    monkeypatch.setattr(Process, "alive", property(alive))
    many = 400
    code = f"""
        for (int i = 0; i < {many}; i++)
            if (!fork()) for (;;) pause();
        kill(0, SIGKILL);
    """
    result = Machine(timeout=100).run([compiled(code)])
    assert result.status == 137
    assert len(looks) < 50 * many, "each process scanned all of them"


def test_threads_share_and_the_last_one_ends_the_process() -> None:
    assert output(r"""
static void *thread(void *argument) {
    say("pid same %d tid other %d\n", getpid() == *(int *)argument, gettid() != getpid());
    nap(30);
    say("last\n");
    syscall(SYS_exit, 5);
    return NULL;
}
int main(void) {
    int pid = getpid();
    if (!fork()) {
        pid = getpid();
        pthread_t t;
        pthread_create(&t, NULL, thread, &pid);
        syscall(SYS_exit, 7);
    }
    int status;
    wait(&status);
    say("%s\n", how(status));
}
""") == ["pid same 1 tid other 1", "last", "exited 5"]  # fmt: skip


def test_a_fork_in_a_thread_has_one_thread_and_exec_in_a_thread_ends_the_others() -> None:
    assert output(r"""
static void *forker(void *argument) {
    int status;
    if (!fork()) { say("child: tid is pid %d\n", gettid() == getpid()); _exit(0); }
    wait(&status);
    execl("/proc/self/exe", "self", "after", NULL);
    return NULL;
}
int main(int argc, char **argv) {
    static int pid;
    if (argc > 1) { say("exec: tid is pid %d\n", gettid() == getpid()); return 3; }
    pthread_t t;
    pthread_create(&t, NULL, forker, NULL);
    for (;;) pause();
}
""".replace("return 3", "return 0")) == ["child: tid is pid 1", "exec: tid is pid 1"]  # fmt: skip


# Exec.


def test_exec_keeps_and_resets_what_it_should() -> None:
    assert output(r"""
static void on(int signo) { say("old handler!\n"); }
int main(int argc, char **argv, char **envp) {
    if (argc > 1) {
        struct sigaction a, b;
        sigaction(SIGUSR1, NULL, &a);
        sigaction(SIGUSR2, NULL, &b);
        sigset_t mask, pending;
        sigprocmask(SIG_BLOCK, NULL, &mask);
        sigpending(&pending);
        say("default %d ignored %d masked %d pending %d\n", a.sa_handler == SIG_DFL,
            b.sa_handler == SIG_IGN, sigismember(&mask, SIGTERM), sigismember(&pending, SIGTERM));
        say("6: %d 7: %d\n", fcntl(6, F_GETFD), fcntl(7, F_GETFD));
        say("pid %d args %s %s env %s\n", getpid() == atoi(argv[2]), argv[0], argv[1], envp[0]);
        stack_t stack;
        sigaltstack(NULL, &stack);
        say("altstack off %d\n", stack.ss_flags == SS_DISABLE);
        nap(60);
        say("end\n");
        return 0;
    }
    static char other[8192];
    sigaltstack(&(stack_t){.ss_sp = other, .ss_size = sizeof other}, NULL);
    catch(SIGUSR1, on, 0);
    signal(SIGUSR2, SIG_IGN);
    sigset_t set = set_of(SIGTERM, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGTERM);
    dup2(1, 6);
    dup3(1, 7, O_CLOEXEC);
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, NULL, &timer);
    timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 20000000}}, NULL);
    char pid[20];
    snprintf(pid, 20, "%d", getpid());
    char *words[] = {"name", "one", pid, NULL}, *env[] = {"A=1", NULL};
    execve("/proc/self/exe", words, env);
    return 9;
}
""") == [
        "default 1 ignored 1 masked 1 pending 1", "6: 0 7: -1",
        "pid 1 args name one env A=1", "altstack off 1", "end",
    ]  # fmt: skip


def test_an_alarm_survives_exec() -> None:
    result = run(r"""
    if (argc > 1) { pause(); return 0; }
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 20000}}, NULL);
    execl("/proc/self/exe", "self", "x", NULL);
    return 9;
""")
    assert result.status == 128 + 14


def test_an_exec_that_fails_leaves_its_caller_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("just text\n")
    (tmp_path / "text").chmod(0o755)
    (tmp_path / "mode").write_bytes(b"\x7fELF")
    (tmp_path / "mode").chmod(0o644)
    (tmp_path / "lost").write_text("#!/no/such/interpreter\n")
    (tmp_path / "lost").chmod(0o755)
    (tmp_path / "loop").write_text(f"#!{tmp_path}/loop\n")
    (tmp_path / "loop").chmod(0o755)
    lines = output(r"""
static void on(int signo) { say("still handled\n"); }
int main(int argc, char **argv) {
    catch(SIGUSR1, on, 0);
    char *env[] = {NULL};
    int *kept = malloc(100000);
    kept[5000] = 77;
    fcntl(1, F_SETFD, FD_CLOEXEC);
    TRY(execve("text", argv, env));
    TRY(execve("mode", argv, env));
    TRY(execve("lost", argv, env));
    TRY(execve("loop", argv, env));
    TRY(execve("none", argv, env));
    TRY(execve("text/x", argv, env));
    TRY(execve(".", argv, env));
    TRY(execve("", argv, env));
    TRY(execve((char *)8, argv, env));
    TRY(execve("text", (char **)8, env));
    char *bad[] = {(char *)16, NULL};
    TRY(execve("text", bad, env));
    static char *many[40000];
    for (int i = 0; i < 39999; i++)
        many[i] = "0123456789012345678901234567890123456789012345678901234567890123456789";
    TRY(execve("/proc/self/exe", many, env));
    say("kept %d\n", kept[5000]);
    raise(SIGUSR1);
    return 0;
}
""", cwd=str(tmp_path))  # fmt: skip
    assert [line.rsplit(" ", 1)[1] for line in lines[:12]] == [
        "ENOEXEC", "EACCES", "ENOENT", "ELOOP", "ENOENT", "ENOTDIR", "EACCES", "ENOENT",
        "EFAULT", "EFAULT", "EFAULT", "E2BIG",
    ]  # fmt: skip
    assert lines[12:] == ["kept 77", "still handled"]


def test_execveat_of_a_descriptor() -> None:
    assert output(r"""
    if (argc > 1) { say("ran %s\n", argv[1]); return 0; }
    int fd = open("/proc/self/exe", O_RDONLY);
    char *words[] = {"self", "by fd", NULL}, *env[] = {NULL};
    TRY(syscall(SYS_execveat, fd, "", words, env, 0));
    TRY(syscall(SYS_execveat, 99, "", words, env, AT_EMPTY_PATH));
    TRY(syscall(SYS_execveat, fd, "", words, env, 0x4000));
    syscall(SYS_execveat, fd, "", words, env, AT_EMPTY_PATH);
    return 9;
""")[-1] == "ran by fd"  # fmt: skip


# Limits.


def test_no_more_processes_than_allowed() -> None:
    assert output(r"""
    int made = 0;
    while (fork() > 0 || (errno != EAGAIN && (pause(), 1)))
        made++;
    say("%d more, then %s\n", made, strerrorname_np(errno));
    kill(0, SIGKILL);
""".replace("kill(0, SIGKILL)", "signal(SIGTERM, SIG_IGN); kill(0, SIGTERM); return 0"),
        max_processes=10) == ["9 more, then EAGAIN"]  # fmt: skip


def test_limits_of_processes() -> None:
    same_as_qemu(r"""
    struct rlimit limit;
    TRY(getrlimit(RLIMIT_NOFILE, &limit));
    TRY(getrlimit(99, &limit));
    limit = (struct rlimit){10, 5};
    TRY(setrlimit(RLIMIT_NOFILE, &limit));
    limit = (struct rlimit){5, 5};
    TRY(setrlimit(RLIMIT_NOFILE, &limit));
    TRY(dup(0));
    TRY(dup(0));
    TRY(dup(0));
    limit = (struct rlimit){3, 5};
    TRY(setrlimit(RLIMIT_CORE, &limit));
    return 0;
""")


def test_out_of_memory_ends_the_one_that_asks_and_nobody_else() -> None:
    result = run(r"""
    int status;
    pid_t hog = fork();
    if (!hog) {
        for (;;) memset(malloc(1 << 20), 1, 1 << 20);
    }
    waitpid(hog, &status, 0);
    say("%s\n", how(status));
    char *mine = malloc(1 << 20);
    memset(mine, 1, 1 << 20);
    say("still here\n");
    return 0;
""", memory=16 << 20)  # fmt: skip
    assert result.stdout == b"killed 9\nstill here\n"
    assert [note.split(":")[0] for note in result.notes] == ["out of memory"]


def test_a_deadlock_is_named() -> None:
    result = run(r"""
    int pipes[2];
    pipe(pipes);
    if (!fork()) { char b; read(pipes[0], &b, 1); _exit(0); }
    if (!fork()) { pause(); _exit(0); }
    if (!fork()) { raise(SIGSTOP); _exit(0); }
    wait(NULL);
    return 0;
""")
    (note,) = result.notes
    lines = note.splitlines()
    assert lines[0] == "every process waits for ever:"
    reasons = sorted(line.split(" waits for ")[1] for line in lines[1:])
    assert len(reasons) == 4 and "a child to end" in reasons and "a signal" in reasons
    assert "a signal to go on (it is stopped)" in reasons and any(
        "pipe" in line for line in reasons
    )
    assert result.status == 1


def test_the_timer_of_a_process_that_has_ended_keeps_nobody_waiting() -> None:
    """On the host's clock there would be no deadlock before the alarm."""
    result = run(r"""
    int pipes[2];
    pipe(pipes);
    if (!fork()) { alarm(1000); _exit(0); }
    wait(NULL);
    char b;
    read(pipes[0], &b, 1);
    return 0;
""", deterministic=False, timeout=15)  # fmt: skip
    assert result.notes[0].splitlines()[0] == "every process waits for ever:"
    assert result.status == 1


def test_a_program_that_is_its_own_interpreter_gets_the_scripts_words(tmp_path: Path) -> None:
    program = compiled('for (int i = 0; i < argc; i++) say("[%s]", argv[i]); say("\\n"); return 0;')
    script = tmp_path / "script"
    script.write_text(f"#! {program}  one  option \nbody\n")
    script.chmod(0o755)
    outer = tmp_path / "outer"
    outer.write_text(f"#!{script}\n")
    outer.chmod(0o755)
    from emu import Machine

    got = Machine(cwd=str(tmp_path), read_write=[(str(program.parent), str(program.parent))]).run(
        [str(script), "a", "b"]
    )
    assert got.stdout.decode() == f"[{program}][one  option][{script}][a][b]\n"
    got = Machine(cwd=str(tmp_path), read_write=[(str(program.parent), str(program.parent))]).run(
        [str(outer), "a"]
    )
    assert got.stdout.decode() == f"[{program}][one  option][{script}][{outer}][a]\n"

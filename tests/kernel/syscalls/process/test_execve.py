"""Does execve(2) keep and reset what it should, and change nothing when it fails?"""

from pathlib import Path

from tests.kernel.syscalls.guests import output, run


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

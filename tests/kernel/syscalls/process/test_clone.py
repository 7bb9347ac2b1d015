"""Do the children of clone(2), vfork(2) and posix_spawn(3), and threads, share what they should?"""

import pytest

from emu import Machine
from kernel.process.process import Process
from tests.kernel.syscalls.guests import compiled, output


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

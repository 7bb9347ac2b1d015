"""Does a descriptor of a process refer to it alone, and give its files to those allowed to?"""

from tests.kernel.syscalls.guests import output

PRELUDE = r"""
#include <poll.h>
static int opened(pid_t pid) { return syscall(SYS_pidfd_open, pid, 0); }
static int taken(int process, int fd) { return syscall(SYS_pidfd_getfd, process, fd, 0); }
static pid_t sleeping(void) { pid_t pid = fork(); if (!pid) for (;;) pause(); return pid; }
"""


def test_a_thread_that_is_not_the_first_has_no_descriptor() -> None:
    assert output(
        PRELUDE
        + r"""
static void *body(void *unused) { TRY(opened(gettid())); TRY(opened(getpid())); return unused; }
int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, body, NULL);
    pthread_join(thread, NULL);
}
"""
    ) == ["opened(gettid()): EINVAL", "opened(getpid()): ok"]


def test_a_process_that_hides_its_memory_keeps_its_descriptors() -> None:
    assert output(
        PRELUDE
        + r"""
int main(void) {
    int pipes[2], fd;
    if (!getuid()) setresuid(1000, 1000, 1000);
    pipe(pipes);
    pid_t child = fork();
    if (!child) { prctl(PR_SET_DUMPABLE, 0); write(pipes[1], "x", 1); for (;;) pause(); }
    read(pipes[0], &fd, 1);
    fd = opened(child);
    TRY(taken(fd, 0));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}
"""
    ) == ["taken(fd, 0): EPERM"]


def test_a_poll_in_another_process_ends_with_the_process() -> None:
    assert output(
        PRELUDE
        + r"""
int main(void) {
    pid_t child = sleeping();
    struct pollfd one = {opened(child), POLLIN};
    if (!fork()) { usleep(1000); kill(child, SIGKILL); _exit(0); }
    SHOW(poll(&one, 1, -1));
    SHOW(one.revents & POLLIN);
    while (wait(NULL) > 0) ;
}
"""
    ) == ["poll(&one, 1, -1) = 1", "one.revents & POLLIN = 1"]

"""Does a signal end a blocked call, or restart it, as in Linux?"""

import pytest

from tests.kernel.syscalls.guests import output, same_as_qemu

BLOCKED = r"""
static int pipes[2];
static void on(int signo) { say("handler\n"); }
int main(int argc, char **argv) {
    pipe(pipes);
    catch(SIGUSR1, on, atoi(argv[2]) ? SA_RESTART : 0);
    pid_t parent = getpid(), child;
    if (!(child = fork())) {
        nap(40);
        kill(parent, SIGUSR1);
        nap(60);
        write(pipes[1], "x", 1);
        _exit(7);
    }
    char byte;
    int status = 0;
    struct timespec time = {20, 0}, left = {0, 0};
    switch (argv[1][0]) {
    case 'r': SHOW(read(pipes[0], &byte, 1)); break;
    case 'w': TRY(waitpid(child, &status, 0)); say("%s\n", how(status)); break;
    case 'n': SHOW(nanosleep(&time, &left)); say("left %d\n", left.tv_sec > 0); break;
    case 'p': SHOW(pause()); break;
    case 's': SHOW(select(0, NULL, NULL, NULL, &(struct timeval){20, 0})); break;
    }
}
"""


@pytest.mark.parametrize("call", ["read", "wait", "nanosleep", "pause", "select"])
@pytest.mark.parametrize("restart", ["0", "1"])
def test_a_handler_ends_a_blocked_call_or_restarts_it(call: str, restart: str) -> None:
    lines = same_as_qemu(BLOCKED, call, restart)
    assert lines[0] == "handler"
    restarts = call in ("read", "wait") and restart == "1"
    assert ("EINTR" in lines[1]) is not restarts


STOPPED = r"""
int main(int argc, char **argv) {
    int pipes[2];
    pipe(pipes);
    pid_t child = fork();
    if (!child) {
        char byte;
        struct timespec time = {0, 150000000};
        sigset_t none;
        sigemptyset(&none);
        switch (argv[1][0]) {
        case 'r': SHOW(read(pipes[0], &byte, 1)); break;
        case 'n': SHOW(nanosleep(&time, NULL)); break;
        case 's': SHOW(select(0, NULL, NULL, NULL, &(struct timeval){0, 150000})); break;
        }
        _exit(3);
    }
    int status;
    nap(20);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    say("%s\n", how(status));
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    say("%s\n", how(status));
    write(pipes[1], "x", 1);
    waitpid(child, &status, 0);
    say("%s\n", how(status));
}
"""


@pytest.mark.parametrize("call", ["read", "nanosleep", "select"])
def test_stopping_and_continuing_does_not_end_a_blocked_call(call: str) -> None:
    """signal(7): only some calls fail with EINTR then, and these are not among them."""
    lines = output(STOPPED, call)
    assert lines[:2] == ["stopped 19", "continued"]
    assert "EINTR" not in lines[2] and lines[3] == "exited 3"

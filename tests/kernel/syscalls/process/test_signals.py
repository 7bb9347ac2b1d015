"""Are signals delivered in the order and at the time of Linux?"""

import pytest

from tests.kernel.syscalls.guests import output, same_as_qemu


def test_a_blocked_signal_waits_and_is_delivered_once() -> None:
    assert same_as_qemu(r"""
static volatile int count;
static void on(int signo) { count++; }
int main(void) {
    catch(SIGUSR1, on, 0);
    sigset_t set = set_of(SIGUSR1, 0), pending;
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 3; i++)
        raise(SIGUSR1);
    sigpending(&pending);
    say("%d pending %d\n", count, sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    sigpending(&pending);
    say("%d pending %d\n", count, sigismember(&pending, SIGUSR1));
}
""") == ["0 pending 1", "1 pending 0"]  # fmt: skip


def test_realtime_signals_queue_in_order_with_their_values() -> None:
    """POSIX and Linux: the lowest first. qemu-user ignores sa_mask here."""
    lines = output(r"""
static char text[400];
static void on(int signo, siginfo_t *info, void *context) {
    snprintf(text + strlen(text), 60, "%d:%d ", signo - SIGRTMIN, info->si_value.sival_int);
}
int main(void) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO, .sa_mask = all};
    for (int i = 0; i < 3; i++)
        sigaction(SIGRTMIN + i, &action, NULL);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 0; i < 6; i++)
        sigqueue(getpid(), SIGRTMIN + 2 - i % 3, (union sigval){.sival_int = i});
    sigprocmask(SIG_SETMASK, &none, NULL);
    say("%s\n", text);
}
""")
    assert lines == ["0:2 0:5 1:1 1:4 2:0 2:3 "]


def test_of_two_pending_signals_the_later_handler_interrupts_the_earlier() -> None:
    same_as_qemu(r"""
static void on(int signo) { say("enter %d\n", signo); say("leave %d\n", signo); }
int main(void) {
    catch(SIGUSR1, on, 0);
    catch(SIGUSR2, on, 0);
    sigset_t set = set_of(SIGUSR1, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR2);
    raise(SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    say("end\n");
}
""")


def test_sigsuspend_takes_a_signal_that_is_pending_already_and_one_that_comes() -> None:
    assert same_as_qemu(r"""
static void on(int signo) { say("got %d\n", signo); }
int main(void) {
    catch(SIGUSR1, on, 0);
    sigset_t set = set_of(SIGUSR1, 0), before, now;
    sigprocmask(SIG_BLOCK, &set, &before);
    raise(SIGUSR1);
    SHOW(sigsuspend(&before));
    pid_t parent = getpid();
    if (!fork()) {
        nap(20);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    SHOW(sigsuspend(&before));
    sigprocmask(SIG_BLOCK, NULL, &now);
    say("blocked again %d\n", sigismember(&now, SIGUSR1));
}
""") == ["got 10", "sigsuspend(&before) = EINTR"] * 2 + ["blocked again 1"]  # fmt: skip


def test_ppoll_with_a_mask_takes_a_pending_signal_and_restores_the_mask() -> None:
    same_as_qemu(r"""
#include <poll.h>
static void on(int signo) { say("got %d\n", signo); }
int main(void) {
    catch(SIGUSR1, on, 0);
    sigset_t set = set_of(SIGUSR1, 0), none, now;
    sigemptyset(&none);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    struct timespec second = {5, 0};
    SHOW(ppoll(NULL, 0, &second, &none));
    struct timespec zero = {0, 0};
    SHOW(ppoll(NULL, 0, &zero, &none));
    sigprocmask(SIG_BLOCK, NULL, &now);
    say("%d\n", sigismember(&now, SIGUSR1));
}
""")


@pytest.mark.parametrize("state", ["pending", "coming", "none"])
def test_sigtimedwait(state: str) -> None:
    same_as_qemu(r"""
static void on(int signo) { say("handler %d!\n", signo); }
int main(int argc, char **argv) {
    catch(SIGUSR1, on, 0);
    sigset_t set = set_of(SIGUSR1, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t parent = getpid();
    struct timespec time = {argv[1][0] == 'n' ? 0 : 20, 10000000};
    if (argv[1][0] == 'p')
        raise(SIGUSR1);
    else if (argv[1][0] == 'c' && !fork()) {
        nap(20);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    siginfo_t info = {0};
    SHOW(sigtimedwait(&set, &info, &time));
    say("signo %d code %d\n", info.si_signo, info.si_code);
    time.tv_nsec = -1;
    SHOW(sigtimedwait(&set, &info, &time));
}
""", state)  # fmt: skip


def test_sigtimedwait_is_interrupted_by_another_signal() -> None:
    same_as_qemu(r"""
static void on(int signo) { say("handler %d\n", signo); }
int main(void) {
    catch(SIGUSR2, on, SA_RESTART);
    sigset_t set = set_of(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t parent = getpid();
    if (!fork()) {
        nap(20);
        kill(parent, SIGUSR2);
        _exit(0);
    }
    SHOW(sigwaitinfo(&set, NULL));
}
""")


def test_sigwait_for_a_signal_that_is_not_blocked_does_not_kill() -> None:
    """Linux accepts it while the call waits; qemu-user does not."""
    assert output(r"""
    pid_t parent = getpid();
    if (!fork()) {
        nap(20);
        kill(parent, SIGTERM);
        _exit(0);
    }
    sigset_t set = set_of(SIGTERM, 0), now;
    SHOW(sigwaitinfo(&set, NULL));
    sigprocmask(SIG_BLOCK, NULL, &now);
    say("%d\n", sigismember(&now, SIGTERM));
    return 0;
""") == ["sigwaitinfo(&set, NULL) = 15", "0"]  # fmt: skip

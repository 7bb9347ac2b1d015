/* Do signals arrive when and how they should?
 *
 * SIGCHLD when a child ends, SIGPIPE and EPIPE, SIGALRM from a timer; a blocked
 * signal waits; a handler interrupts read(2), which fails with EINTR or goes on
 * with SA_RESTART; handlers across fork and a signal sent to a child. */
#include "check.h"

#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t counts[65];
static volatile sig_atomic_t last_value;
static volatile pid_t last_sender;

static void count(int number, siginfo_t *info, void *context)
{
    (void)context;
    counts[number]++;
    last_sender = info->si_pid;
    last_value = info->si_value.sival_int;
}

static void handle(int number, int flags)
{
    struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO | flags};
    NEED(sigaction(number, &action, NULL) == 0);
}

/* A timer that repeats, so that one signal lost before a wait does no harm; 0 stops it. */
static void set_timer(long microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    NEED(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void synchronous(void)
{
    sigset_t set, old, pending;
    handle(SIGUSR1, 0);
    NEED(raise(SIGUSR1) == 0);
    CHECK(counts[SIGUSR1] == 1 && last_sender == getpid(), "a signal to oneself, and its sender");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    NEED(raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0);
    NEED(sigpending(&pending) == 0);
    CHECK(counts[SIGUSR1] == 1 && sigismember(&pending, SIGUSR1), "a blocked signal waits");
    NEED(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK(counts[SIGUSR1] == 2, "and arrives once when unblocked");
    handle(SIGRTMIN, 0);
    sigaddset(&set, SIGRTMIN);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    for (int value = 1; value <= 3; value++)
        NEED(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = value}) == 0);
    NEED(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK(counts[SIGRTMIN] == 3 && last_value == 3, "real-time signals queue, with a value");
    NEED(signal(SIGUSR2, SIG_IGN) != SIG_ERR && raise(SIGUSR2) == 0);
    say("ok   an ignored signal does nothing");
}

static void interrupted(void)
{
    int ends[2];
    char byte;
    NEED(pipe(ends) == 0);
    handle(SIGALRM, 0);
    set_timer(20000);
    CHECK(read(ends[0], &byte, 1) == -1 && errno == EINTR, "a handler interrupts read");
    set_timer(0);
    CHECK(counts[SIGALRM] > 0, "it was the timer's");

    /* With SA_RESTART the same read goes on, until the child writes. */
    handle(SIGUSR1, SA_RESTART);
    pid_t parent = getpid();
    int before = counts[SIGUSR1];
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(usleep(20000) == 0 && kill(parent, SIGUSR1) == 0);
        NEED(usleep(20000) == 0 && write(ends[1], "x", 1) == 1);
        _exit(0);
    }
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x', "with SA_RESTART read goes on");
    CHECK(counts[SIGUSR1] == before + 1 && last_sender == pid, "the signal came from the child");
    join(pid);

    NEED(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    handle(SIGPIPE, 0);
    NEED(close(ends[0]) == 0);
    CHECK(write(ends[1], "x", 1) == -1 && errno == EPIPE && counts[SIGPIPE] == 1,
          "a pipe without readers: SIGPIPE and EPIPE");
    NEED(close(ends[1]) == 0);
}

static void children(void)
{
    sigset_t set, old;
    handle(SIGCHLD, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    NEED(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0)
        _exit(3);
    while (counts[SIGCHLD] == 0)
        sigsuspend(&old);
    CHECK(counts[SIGCHLD] == 1 && last_sender == pid, "SIGCHLD when a child ends");
    int status = status_of(pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3, "its status is still there");
    NEED(sigprocmask(SIG_SETMASK, &old, NULL) == 0);

    struct gate ready;
    gate_make(&ready);
    NEED(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
    pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        handle(SIGTERM, 0);
        NEED(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
        sigset_t open = set;
        sigaddset(&set, SIGTERM);
        NEED(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
        gate_open(&ready);
        while (counts[SIGTERM] == 0)
            sigsuspend(&open);
        CHECK(counts[SIGUSR1] > 0, "child: memory as at the fork");
        _exit(verdict() ? 1 : 9);
    }
    gate_wait(&ready);
    NEED(kill(pid, SIGTERM) == 0);
    status = status_of(pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9, "a signal sent to a child, handled");
    CHECK(kill(pid, 0) == -1 && errno == ESRCH, "it is gone");
    CHECK(counts[SIGTERM] == 0, "the parent got none of it");
}

int main(void)
{
    synchronous();
    interrupted();
    children();
    return verdict();
}

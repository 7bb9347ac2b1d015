/* Which comes first, what a call waits for or the signal that comes with it?
 *
 * A child's end brings SIGCHLD: wait returns the child even when the handler has
 * no SA_RESTART. A signal that only wakes the caller breaks the call off, and one
 * that a call's own mask lets in breaks off even a call that need not wait. */
#include "check.h"

#include <poll.h>
#include <signal.h>
#include <time.h>

static volatile int caught;

static void on_signal(int number)
{
    (void)number;
    caught++;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    NEED(sigaction(SIGCHLD, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    int wrong = 0;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        NEED(pid >= 0);
        if (pid == 0) {
            usleep(2000);
            _exit(0);
        }
        wrong += waitpid(pid, NULL, 0) != pid;
    }
    CHECK(wrong == 0 && caught == 20, "wait sees the child's end before its signal");
    int ends[2];
    char byte;
    NEED(pipe(ends) == 0);
    ualarm(20000, 0);
    CHECK(read(ends[0], &byte, 1) == -1 && errno == EINTR, "a signal alone breaks off");
    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    NEED(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    caught = 0;
    raise(SIGALRM);
    CHECK(!caught, "blocked and pending");
    CHECK(sigsuspend(&none) == -1 && errno == EINTR && caught == 1, "sigsuspend lets it in");
    raise(SIGALRM);
    struct timespec long_time = {.tv_sec = 100};
    CHECK(ppoll(NULL, 0, &long_time, &none) == -1 && errno == EINTR && caught == 2,
          "and so does ppoll");
    raise(SIGALRM);
    struct timespec no_time = {.tv_sec = 0};
    CHECK(ppoll(NULL, 0, &no_time, &none) == -1 && errno == EINTR && caught == 3,
          "even one that would not wait");
    return verdict();
}

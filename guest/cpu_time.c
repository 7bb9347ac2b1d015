/* Is time on the processor distinguished from time asleep?
 *
 * Sleeping costs none; working does, in the process's clock, in the parent's
 * account of its children, and in the timers that go by it. */
#include "check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

static volatile int expired;

static void on_timer(int number)
{
    (void)number;
    expired = 1;
}

static long used_ms(void)
{
    struct timespec now;
    NEED(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void work(long ms)
{
    long until = used_ms() + ms;
    while (used_ms() < until)
        ;
}

int main(void)
{
    long before = used_ms();
    usleep(400000);
    CHECK(used_ms() - before < 200, "sleeping costs nothing");
    struct rusage usage, of_child;
    NEED(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    CHECK(usage.ru_utime.tv_sec == 0 && usage.ru_utime.tv_usec == 0, "no children yet");
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        work(60);
        _exit(0);
    }
    int status;
    NEED(wait4(pid, &status, 0, &of_child) == pid && status == 0);
    NEED(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    long us = of_child.ru_utime.tv_usec + of_child.ru_stime.tv_usec;
    CHECK(of_child.ru_utime.tv_sec > 0 || us >= 50000, "wait4 says what the child used");
    us = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    CHECK(usage.ru_utime.tv_sec > 0 || us >= 50000, "and it is the parent's to account for");
    struct itimerval timer = {.it_value = {.tv_usec = 20000}};
    NEED(signal(SIGPROF, on_timer) != SIG_ERR);
    NEED(setitimer(ITIMER_PROF, &timer, NULL) == 0);
    usleep(60000);
    CHECK(!expired, "a profiling timer waits while its process sleeps");
    while (!expired)
        ;
    CHECK(expired, "and expires while it works");
    return verdict();
}

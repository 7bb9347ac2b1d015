/* Does a parent learn how each child ended?
 *
 * Exit statuses 0 to 255; death by a signal sent, raised, or caused by a fault;
 * WNOHANG, waitid with WNOWAIT, waiting for one of several, for a group, and for
 * one that is stopped and continued; a grandchild whose parent is gone. */
#include "check.h"

#include <signal.h>

static pid_t child_that(void (*act)(int), int argument)
{
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        act(argument);
        _exit(99);
    }
    return pid;
}

static void leave(int status) { _exit(status); }
static void die(int number) { raise(number); }
static void sleep_on(int unused) { for (;;) pause(); (void)unused; }
static void fault(int unused) { *(volatile char *)(unsigned long)unused = 1; }
static void illegal(int unused) { __asm__ volatile(".4byte 0xffffffff"); (void)unused; }
static void trap(int unused) { __asm__ volatile("ebreak"); (void)unused; }

static void statuses(void)
{
    int right = 1;
    for (int number = 0; number < 256; number += 15) {
        int status = status_of(child_that(leave, number));
        right &= WIFEXITED(status) && WEXITSTATUS(status) == number;
    }
    CHECK(right, "exit statuses 0 to 255");
    int status = status_of(child_that(leave, 256 + 4));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4, "only eight bits of it");
}

static void deaths(void)
{
    static const struct {
        const char *name;
        void (*act)(int);
        int argument, signal;
    } ways[] = {
        {"raise SIGTERM", die, SIGTERM, SIGTERM},
        {"raise SIGKILL", die, SIGKILL, SIGKILL},
        {"raise SIGUSR1", die, SIGUSR1, SIGUSR1},
        {"a store to address 0", fault, 0, SIGSEGV},
        {"an illegal instruction", illegal, 0, SIGILL},
        {"ebreak", trap, 0, SIGTRAP},
        {"abort", (void (*)(int))(void *)abort, 0, SIGABRT},
    };
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        int status = status_of(child_that(ways[way].act, ways[way].argument));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == ways[way].signal, ways[way].name);
    }
}

static void waits(void)
{
    siginfo_t info;
    pid_t sleeper = child_that(sleep_on, 0);
    CHECK(waitpid(sleeper, NULL, WNOHANG) == 0, "WNOHANG: not yet");
    pid_t first = child_that(leave, 1);
    CHECK(waitid(P_PID, first, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == first &&
              info.si_code == CLD_EXITED && info.si_status == 1, "waitid looks");
    CHECK(waitpid(-1, NULL, 0) == first, "and waitpid takes the one that ended");
    NEED(kill(sleeper, SIGKILL) == 0);
    int status = status_of(sleeper);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the other was killed");
    CHECK(waitpid(sleeper, NULL, 0) == -1 && errno == ECHILD, "and is waited for once");

    pid_t grouped = child_that(sleep_on, 0);
    NEED(setpgid(grouped, grouped) == 0);
    CHECK(getpgid(grouped) == grouped, "a process group of its own");
    NEED(kill(-grouped, SIGTERM) == 0);
    CHECK(waitpid(-grouped, &status, 0) == grouped && WTERMSIG(status) == SIGTERM,
          "a signal to a group, and a wait for one");
}

static void stops(void)
{
    int status;
    pid_t pid = child_that(sleep_on, 0);
    NEED(kill(pid, SIGSTOP) == 0);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
              WSTOPSIG(status) == SIGSTOP, "a stopped child");
    NEED(kill(pid, SIGCONT) == 0);
    CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status), "and continued");
    NEED(kill(pid, SIGKILL) == 0);
    status_of(pid);
}

static void orphans(void)
{
    int ends[2];
    char text[8] = "";
    struct gate gate;
    NEED(pipe(ends) == 0);
    gate_make(&gate);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        if (fork() == 0) {
            gate_wait(&gate); /* opened when the parent is gone */
            NEED(write(ends[1], "orphan", 6) == 6);
        }
        _exit(0);
    }
    join(pid);
    gate_open(&gate);
    NEED(close(ends[1]) == 0);
    CHECK(read(ends[0], text, sizeof text) == 6 && !strcmp(text, "orphan"), "an orphan goes on");
    CHECK(read(ends[0], text, sizeof text) == 0, "and ends");
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD, "it is not its grandparent's to wait for");
}

int main(void)
{
    statuses();
    deaths();
    waits();
    stops();
    orphans();
    return verdict();
}

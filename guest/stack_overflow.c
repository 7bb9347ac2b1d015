/* Does the stack grow on demand, and is its end noticed?
 *
 * A recursion of 4 MiB works, in parent and child alike. One without end
 * exhausts the stack; its SIGSEGV is delivered on an alternative stack, and the
 * program leaves with siglongjmp, several times. Without a handler it is killed. */
#include "check.h"

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf leave;
static char *alternative;

static void on_segv(int number, siginfo_t *info, void *context)
{
    (void)context;
    char here;
    NEED(number == SIGSEGV && info->si_addr != NULL);
    NEED(&here >= alternative && &here < alternative + 16 * PAGE);
    siglongjmp(leave, 1);
}

static __attribute__((noinline)) long recurse(long levels)
{
    volatile char room[1024];
    room[0] = (char)levels;
    if (levels == 0)
        return 0;
    long below = recurse(levels - 1);
    return below + (room[0] == (char)levels);
}

int main(void)
{
    CHECK(recurse(4096) == 4096, "a stack of 4 MiB");
    alternative = new_pages(16);
    stack_t stack = {.ss_sp = alternative, .ss_size = 16 * PAGE};
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    NEED(sigaltstack(&stack, NULL) == 0);
    NEED(sigaction(SIGSEGV, &action, NULL) == 0);
    for (int round = 0; round < 3; round++) {
        if (!sigsetjmp(leave, 1))
            recurse(-1);
        say("ok   overflow %d was caught", round + 1);
    }
    NEED(sigaltstack(NULL, &stack) == 0);
    CHECK(!(stack.ss_flags & SS_ONSTACK), "the alternative stack is free again");

    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(recurse(4096) == 4096, "child: a stack of 4 MiB");
        if (!sigsetjmp(leave, 1))
            recurse(-1);
        say("ok   child: an overflow was caught");
        signal(SIGSEGV, SIG_DFL);
        recurse(-1);
        _exit(0);
    }
    int status = status_of(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "without a handler it ends");
    return verdict();
}

/* Does a fork follow advice on which pages the child gets?
 *
 * With MADV_DONTFORK it finds nothing there: a system call says so, and a load
 * is SIGSEGV. With MADV_WIPEONFORK it finds zeros. MADV_DOFORK and
 * MADV_KEEPONFORK take the advice back. (qemu-riscv64 ignores it.) */
#include "check.h"

#include <signal.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif

static char *memory;

static void advise(int page, int advice)
{
    NEED(madvise(memory + page * PAGE, PAGE, advice) == 0);
}

int main(void)
{
    memory = new_pages(4);
    char *absent = memory + PAGE, *wiped = memory + 2 * PAGE;
    mark(memory, 4, 'P');
    advise(1, MADV_DONTFORK);
    advise(2, MADV_WIPEONFORK);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(marked(memory, 1, 'P') && marked(memory + 3 * PAGE, 1, 'P'), "the pages around");
        CHECK(marked(wiped, 1, 0), "a wiped page is zero");
        mark(wiped, 1, 'C');
        CHECK(msync(absent, PAGE, MS_ASYNC) == -1 && errno == ENOMEM, "an absent page is absent");
        (void)*(volatile char *)absent;
        _exit(0);
    }
    int status = status_of(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "a load from it is a fault");
    CHECK(marked(memory, 4, 'P'), "the parent has all four");

    advise(1, MADV_DOFORK);
    advise(2, MADV_KEEPONFORK);
    pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(marked(memory, 4, 'P'), "without advice the child has all four");
        _exit(verdict());
    }
    join(pid);
    return verdict();
}

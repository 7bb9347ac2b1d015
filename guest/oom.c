/* What happens when the machine's memory runs out?
 *
 * To be run with less memory than a child requests (--mem 5M). Each of three
 * children touches a gigabyte and is ended with SIGKILL; the parent, which has
 * little, goes on, and finds the memory there again. */
#include "check.h"

int main(void)
{
    char *own = new_pages(64);
    mark(own, 64, 'P');
    for (int round = 0; round < 3; round++) {
        pid_t pid = fork();
        NEED(pid >= 0);
        if (pid == 0) {
            char *memory = mmap(NULL, 1UL << 30, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            NEED(memory != MAP_FAILED);
            mark(memory, (1UL << 30) / PAGE, 'C');
            _exit(0);
        }
        int status = status_of(pid);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the greedy child was ended");
        CHECK(marked(own, 64, 'P'), "the parent goes on");
    }
    char *more = new_pages(512);
    mark(more, 512, 'M');
    CHECK(marked(more, 512, 'M'), "2 MiB are there for the parent");
    return verdict();
}

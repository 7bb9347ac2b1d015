/* Are large areas, which a kernel may map 2 MiB at once, still pages on each side of a fork?
 *
 * A child writes some pages of 6 MiB, gives back others and takes the right to write from a third
 * part; its parent's bytes stay, and it finds its own. */
#include <signal.h>
#include <sys/mman.h>

#include "check.h"

#define LARGE (2UL << 20)

static char *area;

static char *page(unsigned long number) { return area + number * PAGE; }

static void child(void)
{
    mark(page(3), 2, 'C');
    mark(page(512), 1, 'C');
    CHECK(marked(page(2), 1, 'P') && marked(page(5), 1, 'P'), "child: the pages beside its own");
    CHECK(munmap(page(600), PAGE * 100) == 0, "child: gives pages back");
    CHECK(marked(page(599), 1, 'P') && marked(page(700), 1, 'P'), "child: and keeps the others");
    CHECK(mprotect(page(1024), PAGE * 8, PROT_READ) == 0, "child: takes a right away");
    mark(page(1032), 1, 'C');
    CHECK(marked(page(1024), 8, 'P') && marked(page(1032), 1, 'C'), "child: and keeps the others'");
    CHECK(marked(page(3), 2, 'C') && marked(page(512), 1, 'C'), "child: its own bytes");
    if (fork() == 0) {
        *page(1024) = 'X';
        _exit(0);
    }
    int status;
    NEED(wait(&status) > 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "child: may not write there");
    _exit(verdict());
}

int main(void)
{
    char *start = mmap(NULL, 4 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(start != MAP_FAILED);
    area = (char *)(((unsigned long)start + LARGE - 1) & -LARGE);
    CHECK(marked(area, 3, 0) && marked(page(1535), 1, 0), "new memory is zero");
    mark(area, 1536, 'P');
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0)
        child();
    join(pid);
    CHECK(marked(area, 1536, 'P'), "parent: all its bytes");
    mark(area, 1536, 'Q');
    CHECK(marked(area, 1536, 'Q'), "parent: and new ones");
    return verdict();
}

/* Can mprotect open a hole between two sides of a fork?
 *
 * Pages shared copy-on-write are made read-only and writable again, in parent
 * and child: each still gets a page of its own at the first write. Pages never
 * writable before the fork are made so after it. The parent writes while the
 * child lives: 2 N copied; then the child takes over: 2 N reused. */
#include "check.h"

static void toggle(char *memory, size_t count)
{
    NEED(mprotect(memory, count * PAGE, PROT_NONE) == 0);
    NEED(mprotect(memory, count * PAGE, PROT_READ) == 0);
    NEED(mprotect(memory, count * PAGE, PROT_READ | PROT_WRITE) == 0);
}

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 8);
    char *open = new_pages(count), *sealed = new_pages(count);
    struct gate gate;
    gate_make(&gate);
    mark(open, count, 'P');
    mark(sealed, count, 'P');
    NEED(mprotect(sealed, count * PAGE, PROT_READ) == 0);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        gate_wait(&gate);
        toggle(open, count);
        toggle(sealed, count);
        CHECK(marked(open, count, 'P') && marked(sealed, count, 'P'), "child: as at the fork");
        mark(open, count, 'C');
        mark(sealed, count, 'C');
        CHECK(marked(open, count, 'C') && marked(sealed, count, 'C'), "child: its own writes");
        _exit(verdict());
    }
    toggle(open, count);
    toggle(sealed, count);
    mark(open, count, 'Q');
    mark(sealed, count, 'Q');
    gate_open(&gate);
    join(pid);
    CHECK(marked(open, count, 'Q') && marked(sealed, count, 'Q'), "parent: its own writes");
    return verdict();
}

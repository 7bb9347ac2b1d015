/* Can mprotect open a hole between two sides of a fork?
 *
 * Pages shared copy-on-write lose every permission and get them back, in the
 * child and then in the parent, and so do pages that were read-only at the fork:
 * the first write still gets a page of its own. The parent writes while the child
 * lives: 2 N copied; then the child takes over: 2 N reused. */
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
    struct gate to_child, to_parent;
    gate_make(&to_child);
    gate_make(&to_parent);
    mark(open, count, 'P');
    mark(sealed, count, 'P');
    NEED(mprotect(sealed, count * PAGE, PROT_READ) == 0);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        toggle(open, count);
        toggle(sealed, count);
        gate_open(&to_parent);
        gate_wait(&to_child);
        CHECK(marked(open, count, 'P') && marked(sealed, count, 'P'), "child: as at the fork");
        mark(open, count, 'C');
        mark(sealed, count, 'C');
        CHECK(marked(open, count, 'C') && marked(sealed, count, 'C'), "child: its own writes");
        _exit(verdict());
    }
    gate_wait(&to_parent);
    toggle(open, count);
    toggle(sealed, count);
    mark(open, count, 'Q');
    mark(sealed, count, 'Q');
    gate_open(&to_child);
    join(pid);
    CHECK(marked(open, count, 'Q') && marked(sealed, count, 'Q'), "parent: its own writes");
    return verdict();
}

/* Is a page copied when no other process holds it any more?
 *
 * The child ends before the parent writes, so the parent takes every page over:
 * of N pages none is copied and N are reused. */
#include "check.h"

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 16);
    char *memory = new_pages(count);
    mark(memory, count, 'P');
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0)
        _exit(marked(memory, count, 'P') ? 0 : 1);
    join(pid);
    mark(memory, count, 'Q');
    CHECK(marked(memory, count, 'Q'), "the parent's writes after the child ended");
    return verdict();
}

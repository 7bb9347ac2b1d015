/* Do pages that were only read cost memory, and does a write give a frame of one's own?
 *
 * Reading N new pages finds zeros, in one frame that all share. After a fork the
 * child writes every page and the parent still reads zeros; then the parent
 * writes. A page of zeros is filled, not copied: none copied, none reused. */
#include "check.h"

static int all_zero(const char *memory, size_t count)
{
    for (size_t at = 0; at < count * PAGE; at++) {
        if (((volatile const char *)memory)[at])
            return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 16);
    char *memory = new_pages(count);
    CHECK(all_zero(memory, count), "new pages read as zeros");
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(all_zero(memory, count), "the child reads zeros");
        mark(memory, count, 'C');
        CHECK(marked(memory, count, 'C'), "the child reads what it wrote");
        _exit(verdict());
    }
    join(pid);
    CHECK(all_zero(memory, count), "the parent still reads zeros");
    mark(memory, count, 'P');
    CHECK(marked(memory, count, 'P'), "the parent reads what it wrote");
    memory[0] = memory[PAGE - 1] = 0;
    CHECK(all_zero(memory, 1), "the rest of a written page is zero");
    return verdict();
}

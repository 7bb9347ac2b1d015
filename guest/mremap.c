/* Does mremap keep what a mapping holds, also while it is shared copy-on-write?
 *
 * Grow in place or by moving, shrink, move to a fixed place; the child does so
 * with pages it shares with its parent, whose own mapping stays as it was. Moving
 * N pages copies none of them; the child's writes then copy N. */
#include "check.h"

static int child(char *memory, size_t count)
{
    char *target = new_pages(2 * count);
    char *moved = mremap(memory, count * PAGE, 2 * count * PAGE,
                         MREMAP_MAYMOVE | MREMAP_FIXED, target);
    CHECK(moved == target, "child: moved to a fixed place, and grown");
    CHECK(marked(moved, count, 'P'), "child: with what it held");
    CHECK(moved[count * PAGE] == 0 && moved[2 * count * PAGE - 1] == 0, "child: zeros after it");
    mark(moved, count, 'C');
    CHECK(marked(moved, count, 'C'), "child: written");
    CHECK(msync(memory, PAGE, MS_ASYNC) == -1 && errno == ENOMEM, "child: nothing where it was");
    return verdict();
}

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 8);
    char *memory = new_pages(count);
    mark(memory, count, 'P');
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0)
        _exit(child(memory, count));
    join(pid);
    CHECK(marked(memory, count, 'P'), "parent: its mapping stayed");

    char *grown = mremap(memory, count * PAGE, 3 * count * PAGE, MREMAP_MAYMOVE);
    NEED(grown != MAP_FAILED);
    CHECK(marked(grown, count, 'P') && grown[3 * count * PAGE - 1] == 0, "parent: grown");
    CHECK(mremap(grown, 3 * count * PAGE, PAGE, 0) == grown, "parent: shrunk");
    CHECK(marked(grown, 1, 'P'), "parent: its first page");
    CHECK(msync(grown + PAGE, PAGE, MS_ASYNC) == -1 && errno == ENOMEM, "parent: no second page");
    CHECK(mremap(grown + 1, PAGE, PAGE, 0) == MAP_FAILED && errno == EINVAL, "misaligned");
    CHECK(mremap(grown + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT,
          "a place where nothing is");
    return verdict();
}

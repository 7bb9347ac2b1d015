/* Does the heap's end move on each side of a fork by itself?
 *
 * The child grows the heap, the parent shrinks it; memory given back and taken
 * again is zero; N pages of heap are isolated like any other: N copied by the
 * child, N reused by the parent. */
#include "check.h"

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 8);
    sbrk((intptr_t)(-(unsigned long)sbrk(0) & (PAGE - 1))); /* up to a page boundary */
    char *heap = sbrk((intptr_t)(count * PAGE));
    NEED(heap != (char *)-1 && (unsigned long)heap % PAGE == 0);
    mark(heap, count, 'P');
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(sbrk(0) == heap + count * PAGE, "child: the heap's end at the fork");
        NEED(sbrk(16 * PAGE) == heap + count * PAGE);
        mark(heap + count * PAGE, 16, 'C');
        mark(heap, count, 'C');
        CHECK(marked(heap, count + 16, 'C'), "child: grown and written");
        _exit(verdict());
    }
    join(pid);
    CHECK(sbrk(0) == heap + count * PAGE, "parent: the heap's end stayed");
    CHECK(marked(heap, count, 'P'), "parent: its heap");
    mark(heap, count, 'Q');
    NEED(sbrk(-(intptr_t)PAGE) != (void *)-1);
    CHECK(sbrk(0) == heap + (count - 1) * PAGE, "parent: shrunk");
    NEED(sbrk((intptr_t)PAGE) != (void *)-1);
    CHECK(marked(heap + (count - 1) * PAGE, 1, 0), "parent: taken again, zero");
    return verdict();
}

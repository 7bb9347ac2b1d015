/* Are the stack, .data, .bss and the heap each one's own after a fork?
 *
 * Parent and child write a variable in each, on the page the other is using too,
 * in turn; neither sees the other's. The child then uses 256 KiB of new stack and
 * heap that the parent never had. */
#include "check.h"

static int data = 1;
static int bss;
static const int text = 1;

/* Use more stack than the parent did, a page a call. */
static __attribute__((noinline)) int deep(int levels)
{
    volatile char room[PAGE];
    room[0] = (char)levels;
    int below = levels ? deep(levels - 1) : 0;
    return below + (room[0] == (char)levels);
}

int main(void)
{
    int stack = 1;
    volatile int *where = &stack; /* in memory, not in a register */
    int *heap = malloc(sizeof *heap);
    struct gate to_child, to_parent;
    NEED(heap);
    gate_make(&to_child);
    gate_make(&to_parent);
    *heap = 1;
    bss = 1;
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(*where + data + bss + *heap + text == 5, "child: as at the fork");
        *where = data = bss = *heap = 2;
        gate_open(&to_parent);
        gate_wait(&to_child);
        CHECK(*where == 2 && data == 2 && bss == 2 && *heap == 2, "child: its own writes");
        CHECK(deep(64) == 65, "child: more stack");
        char *more = malloc(256 * 1024);
        NEED(more);
        memset(more, 3, 256 * 1024);
        CHECK(more[256 * 1024 - 1] == 3 && *heap == 2, "child: more heap");
        _exit(verdict());
    }
    gate_wait(&to_parent);
    int seen = *where + data + bss + *heap;
    *where = data = bss = *heap = 3;
    gate_open(&to_child);
    join(pid);
    CHECK(seen == 4, "parent: not the child's writes");
    CHECK(*where == 3 && data == 3 && bss == 3 && *heap == 3, "parent: its own writes");
    return verdict();
}

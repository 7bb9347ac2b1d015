/* After a fork, does each side see only its own writes?
 *
 * The parent writes while the child lives, then the child writes, then the
 * grandchild. Of N pages, the parent's write copies each (the child still holds
 * the frame), and the child's reuses each (it has no other user): N copied, N
 * reused. Then the child forks once more, writes itself (N copied), and the
 * grandchild takes them over (N reused). */
#include "check.h"

static char *memory;
static size_t count;

static int grandchild(struct gate *gate)
{
    gate_wait(gate);
    CHECK(marked(memory, count, 'C'), "grandchild: what the child had at its fork");
    mark(memory, count, 'G');
    CHECK(marked(memory, count, 'G'), "grandchild: its own writes");
    return verdict();
}

static int child(struct gate *gate)
{
    struct gate inner;
    gate_make(&inner);
    gate_wait(gate);
    CHECK(marked(memory, count, 'P'), "child: not what the parent wrote after the fork");
    mark(memory, count, 'C');
    CHECK(marked(memory, count, 'C'), "child: its own writes");
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0)
        _exit(grandchild(&inner));
    mark(memory, count, 'D');
    gate_open(&inner);
    join(pid);
    CHECK(marked(memory, count, 'D'), "child: not what the grandchild wrote");
    return verdict();
}

int main(int argc, char **argv)
{
    struct gate gate;
    count = pages_wanted(argc, argv, 16);
    memory = new_pages(count);
    gate_make(&gate);
    mark(memory, count, 'P');
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0)
        _exit(child(&gate));
    mark(memory, count, 'Q');
    gate_open(&gate);
    join(pid);
    CHECK(marked(memory, count, 'Q'), "parent: not what the child wrote");
    return verdict();
}

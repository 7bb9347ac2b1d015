/* Does isolation hold in a tree of forks, deep and wide?
 *
 * 40 processes, three levels below the root with three children each. Every one
 * writes its own path into a page for each level, then waits for its children,
 * then checks that the path is still its own. Each exits with the size of its
 * subtree. */
#include "check.h"

enum { DEPTH = 3, FAN_OUT = 3 };

static volatile int path[DEPTH + 1][PAGE / sizeof(int)] __attribute__((aligned(4096)));

/* Grow the tree below this process; the number of processes in it, 0 when one was wrong. */
static int grow(int level, int which)
{
    pid_t children[FAN_OUT];
    int size = 1;
    path[level][0] = which;
    for (int child = 0; level < DEPTH && child < FAN_OUT; child++) {
        children[child] = fork();
        NEED(children[child] >= 0);
        if (children[child] == 0)
            _exit(grow(level + 1, 10 * which + child + 1));
    }
    for (int child = 0; level < DEPTH && child < FAN_OUT; child++) {
        int status = status_of(children[child]);
        if (!WIFEXITED(status) || WEXITSTATUS(status) == 0)
            return 0;
        size += WEXITSTATUS(status);
    }
    for (int above = level, expected = which; above >= 0; above--, expected /= 10) {
        if (path[above][0] != expected)
            return 0;
    }
    for (int below = level + 1; below <= DEPTH; below++) {
        if (path[below][0] != 0)
            return 0;
    }
    return size;
}

int main(void)
{
    int size = grow(0, 0);
    say("%d processes", size);
    CHECK(size == 1 + 3 + 9 + 27, "every process saw only its own path");
    return verdict();
}

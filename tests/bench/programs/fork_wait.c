/* A small process forks, its child exits, it waits. */
#include "bench.h"

int main(int argc, char **argv)
{
    size_t times = argument(argc, argv, 1, 200);
    uint64_t start = 0;
    for (size_t time = 0; time <= times; time++) {
        if (time == 1) /* the first one of all loads what is needed for it */
            start = now();
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        must_succeed(child);
    }
    report("fork_wait", now() - start, times);
    return 0;
}

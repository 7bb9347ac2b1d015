/* A small process forks, its child exits, it waits. */
#include "bench.h"

int main(int argc, char **argv)
{
    size_t times = argument(argc, argv, 1, 200);
    uint64_t start = now();
    for (size_t time = 0; time < times; time++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        must_succeed(child);
    }
    report("fork_wait", now() - start, times);
    return 0;
}

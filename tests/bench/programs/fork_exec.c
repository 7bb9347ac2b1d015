/* A small process forks, its child executes a small program (this one), it waits. */
#include "bench.h"
#include "../../../guest/exec.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "leave") == 0)
        return 0;
    size_t times = argument(argc, argv, 1, 50);
    char *arguments[] = {"leave", NULL};
    uint64_t start = now();
    for (size_t time = 0; time < times; time++) {
        pid_t child = fork();
        if (child == 0)
            exec_self(argv[0], arguments);
        must_succeed(child);
    }
    report("fork_exec", now() - start, times);
    return 0;
}

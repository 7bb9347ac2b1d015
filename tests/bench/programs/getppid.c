/* The cheapest system call; raw, so that no library caches the result. */
#include "bench.h"
#include <sys/syscall.h>

int main(int argc, char **argv)
{
    size_t calls = argument(argc, argv, 1, 100000);
    uint64_t start = now();
    for (size_t call = 0; call < calls; call++)
        NEED(syscall(SYS_getppid) >= 0);
    report("getppid", now() - start, calls);
    return 0;
}

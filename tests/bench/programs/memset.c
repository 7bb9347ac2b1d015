/* memset of 64 MiB, again and again; the first one touches the pages. */
#include "bench.h"

int main(int argc, char **argv)
{
    size_t times = argument(argc, argv, 1, 20);
    size_t bytes = argument(argc, argv, 2, 64) << 20;
    char *memory = new_pages(bytes / PAGE);
    uint64_t start = now();
    for (size_t time = 0; time < times; time++) {
        memset(memory, (int)time, bytes);
        USE(memory);
    }
    report("memset", now() - start, times);
    return 0;
}

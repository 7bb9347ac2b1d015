/* A forked child stores to each page that it shares with its parent. */
#include "bench.h"

int main(int argc, char **argv)
{
    size_t pages = argument(argc, argv, 1, 4096);
    size_t times = argument(argc, argv, 2, 4);
    char *memory = new_pages(pages);
    uint64_t *taken = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(taken != MAP_FAILED);
    store_to_each(memory, pages);
    for (size_t time = 0; time < times; time++) {
        pid_t child = fork();
        if (child == 0) {
            uint64_t start = now();
            store_to_each(memory, pages);
            *taken += now() - start;
            _exit(0);
        }
        must_succeed(child);
    }
    report("cow", *taken, pages * times);
    return 0;
}

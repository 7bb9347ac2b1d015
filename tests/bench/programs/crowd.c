/* Cost of a fault while other processes wait. The first argument is a number of
 * pages, the rest are growing numbers of living processes, this one among them. */
#include "paused.h"

static void first_touch(size_t processes, size_t pages)
{
    char name[32];
    char *memory = new_pages(pages);
    uint64_t start = now();
    store_to_each(memory, pages);
    uint64_t taken = now() - start;
    snprintf(name, sizeof name, "touch_%zu", processes);
    report(name, taken, pages);
    NEED(munmap(memory, pages * PAGE) == 0);
}

static void cow_break(size_t processes, size_t pages)
{
    char name[32];
    char *memory = new_pages(pages);
    snprintf(name, sizeof name, "cow_%zu", processes);
    store_to_each(memory, pages);
    pid_t child = fork();
    if (child == 0) {
        uint64_t start = now();
        store_to_each(memory, pages);
        report(name, now() - start, pages);
        _exit(0);
    }
    must_succeed(child);
    NEED(munmap(memory, pages * PAGE) == 0);
}

int main(int argc, char **argv)
{
    size_t pages = argument(argc, argv, 1, 1024);
    struct crowd crowd;
    crowd_make(&crowd);
    for (int index = 2; index < argc; index++) {
        size_t processes = argument(argc, argv, index, 1);
        while (crowd.members + 1 < processes)
            crowd_add(&crowd);
        first_touch(processes, pages);
        cow_break(processes, pages);
    }
    crowd_end(&crowd);
    return 0;
}

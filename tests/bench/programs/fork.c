/* Duration of fork in the parent, by its resident memory: arguments are pairs of
 * MiB, growing, and how often to fork with them. The child exits at once. The first fork
 * after all pages were stored to has more to do than those after it, and is reported apart. */
#include "bench.h"

static uint64_t fork_once(void)
{
    uint64_t start = now();
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    uint64_t taken = now() - start;
    must_succeed(child);
    return taken;
}

static void measure(size_t mebibytes, size_t times)
{
    char name[32];
    uint64_t first = fork_once(), taken = 0;
    if (mebibytes >= 1024) {
        snprintf(name, sizeof name, "first_%zu", mebibytes);
        report(name, first, 1);
    }
    for (size_t time = 0; time < times; time++)
        taken += fork_once();
    snprintf(name, sizeof name, "fork_%zu", mebibytes);
    report(name, taken, times);
}

int main(int argc, char **argv)
{
    size_t resident = 0;
    fork_once(); /* the first one of all loads what is needed for it */
    for (int index = 1; index < argc; index += 2) {
        size_t mebibytes = argument(argc, argv, index, 0);
        NEED(mebibytes >= resident);
        size_t pages = (mebibytes - resident) << 8;
        if (pages)
            store_to_each(new_pages(pages), pages);
        resident = mebibytes;
        measure(mebibytes, argument(argc, argv, index + 1, 1));
    }
    return 0;
}

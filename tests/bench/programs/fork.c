/* How long fork keeps the parent, against its resident memory: arguments are pairs of
 * MiB, growing, and how often to fork with them. The child exits at once. */
#include "bench.h"

static void measure(size_t mebibytes, size_t times)
{
    char name[32];
    uint64_t taken = 0;
    for (size_t time = 0; time < times; time++) {
        uint64_t start = now();
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        taken += now() - start;
        must_succeed(child);
    }
    snprintf(name, sizeof name, "fork_%zu", mebibytes);
    report(name, taken, times);
}

int main(int argc, char **argv)
{
    size_t resident = 0;
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

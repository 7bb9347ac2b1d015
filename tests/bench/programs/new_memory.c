/* Memory that the machine has not used before: the first store to each page, a fork, and
 * the stores of the child, each of which needs a new frame. */
#include "bench.h"

int main(int argc, char **argv)
{
    size_t pages = argument(argc, argv, 1, 8192);
    char *memory = new_pages(pages);
    uint64_t *taken = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(taken != MAP_FAILED);
    *taken = 0;
    uint64_t start = now();
    store_to_each(memory, pages);
    uint64_t touched = now();
    pid_t child = fork();
    if (child == 0) {
        uint64_t began = now();
        store_to_each(memory, pages);
        *taken = now() - began;
        _exit(0);
    }
    uint64_t forked = now();
    must_succeed(child);
    report("new_touch", touched - start, pages);
    report("new_fork", forked - touched, 1);
    report("new_cow", *taken, pages);
    return 0;
}

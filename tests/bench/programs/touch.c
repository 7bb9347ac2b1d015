/* The first store to each page of new anonymous memory. */
#include "bench.h"

int main(int argc, char **argv)
{
    size_t pages = argument(argc, argv, 1, 4096);
    size_t times = argument(argc, argv, 2, 4);
    uint64_t taken = 0;
    for (size_t time = 0; time < times; time++) {
        char *memory = new_pages(pages);
        uint64_t start = now();
        store_to_each(memory, pages);
        taken += now() - start;
        NEED(munmap(memory, pages * PAGE) == 0);
    }
    report("touch", taken, pages * times);
    return 0;
}

/* p[i]++ on untouched memory: a load, which maps the page of zeroes, then a store, which
 * gives the page a frame. */
#include "bench.h"

int main(int argc, char **argv)
{
    size_t pages = argument(argc, argv, 1, 4096);
    size_t times = argument(argc, argv, 2, 4);
    uint64_t taken = 0;
    for (size_t time = 0; time < times; time++) {
        char *memory = new_pages(pages);
        uint64_t start = now();
        for (size_t page = 0; page < pages; page++)
            ((volatile char *)memory)[page * PAGE]++;
        taken += now() - start;
        NEED(munmap(memory, pages * PAGE) == 0);
    }
    report("increment", taken, pages * times);
    return 0;
}

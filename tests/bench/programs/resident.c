/* Touches memory, and may free it; then prints a line and waits for the end of its
 * input, so that the host's memory can be measured. Arguments: MiB, and `free`. */
#include "bench.h"

int main(int argc, char **argv)
{
    char byte;
    size_t pages = argument(argc, argv, 1, 100) << 8;
    if (pages) {
        char *memory = new_pages(pages);
        store_to_each(memory, pages);
        if (argc > 2 && strcmp(argv[2], "free") == 0)
            NEED(munmap(memory, pages * PAGE) == 0);
    }
    say("resident %zu", pages >> 8);
    NEED(read(STDIN_FILENO, &byte, 1) == 0);
    return 0;
}

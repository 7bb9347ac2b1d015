/* Many concurrent processes: fork them all, then release all and wait for them. */
#include "paused.h"

int main(int argc, char **argv)
{
    size_t processes = argument(argc, argv, 1, 1000);
    struct crowd crowd;
    crowd_make(&crowd);
    uint64_t start = now();
    while (crowd.members < processes)
        crowd_add(&crowd);
    crowd_end(&crowd);
    report("many", now() - start, processes);
    return 0;
}

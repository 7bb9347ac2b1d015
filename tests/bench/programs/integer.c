/* A loop of dependent integer operations: nothing but registers. */
#include "bench.h"

int main(int argc, char **argv)
{
    size_t rounds = argument(argc, argv, 1, 10000000);
    uint64_t value = 88172645463325252u, sum = 0;
    uint64_t start = now();
    for (size_t round = 0; round < rounds; round++) {
        value = scatter(value);
        sum += value >> 3 & 0xff;
    }
    USE(sum);
    report("integer", now() - start, rounds);
    return 0;
}

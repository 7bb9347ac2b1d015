/* Loads and stores of 8 bytes over 8 MiB that are there already: at random, which
 * asks much of a TLB, and one after the other. */
#include "bench.h"

#define BYTES (8u << 20)
#define WORDS (BYTES / 8)

static uint64_t words[WORDS];

static void at_random(size_t accesses)
{
    uint64_t place = 88172645463325252u, sum = 0;
    uint64_t start = now();
    for (size_t access = 0; access < accesses; access += 2) {
        place = scatter(place);
        sum += words[place % WORDS];
        words[(place >> 32) % WORDS] = sum;
    }
    report("random", now() - start, accesses);
}

static void in_sequence(size_t accesses)
{
    uint64_t start = now();
    for (size_t access = 0; access < accesses; access += 2) {
        volatile uint64_t *word = &words[access / 2 % WORDS];
        *word = *word + 1;
    }
    report("sequential", now() - start, accesses);
}

int main(int argc, char **argv)
{
    size_t accesses = argument(argc, argv, 1, 2000000);
    store_to_each((char *)words, BYTES / PAGE);
    at_random(accesses);
    in_sequence(accesses);
    return 0;
}

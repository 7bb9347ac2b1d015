/* Regions for huge pages. The system's setting is `madvise`. */
#include "oracle.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define HUGE (2UL << 20)
#define COUNT ((int)(HUGE / PAGE))

/* A region of `pieces` times 2 MiB at an aligned address, with `before` further pages in front. */
__attribute__((unused)) static char *aligned_region(unsigned long pieces, unsigned long before)
{
    unsigned long size = pieces * HUGE + before * PAGE;
    char *around = mmap(NULL, size + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *start = (char *)(((unsigned long)around + PAGE + before * PAGE + HUGE - 1) & -HUGE);
    start = mmap(start - before * PAGE, size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (around == MAP_FAILED || start == MAP_FAILED)
        fail("mmap");
    regions[region_count] = start;
    region_sizes[region_count++] = size;
    return start;
}

__attribute__((unused)) static char *advised(unsigned long pieces)
{
    char *at = aligned_region(pieces, 0);
    if (madvise(at, pieces * HUGE, MADV_HUGEPAGE))
        fail("MADV_HUGEPAGE");
    return at;
}

__attribute__((unused)) static void result(const char *name, int value)
{
    say("%s: %s", name, value ? strerror(errno) : "done");
}

/* Changes of a mapping whose pages are all there: arguments are its sizes in MiB. The
 * rights are taken and given back, it is moved to another place and back, and unmapped. All
 * is done with the first size once before that: it loads what is needed. */
#include "bench.h"

static int measured;

static void say_taken(const char *what, size_t mebibytes, uint64_t taken, size_t calls)
{
    char name[32];
    snprintf(name, sizeof name, "%s_%zu", what, mebibytes);
    if (measured)
        report(name, taken, calls);
}

static void protect(char *memory, size_t mebibytes)
{
    uint64_t start = now();
    NEED(mprotect(memory, mebibytes << 20, PROT_READ) == 0);
    NEED(mprotect(memory, mebibytes << 20, PROT_READ | PROT_WRITE) == 0);
    say_taken("mprotect", mebibytes, now() - start, 2);
}

/* The other place is free, and begins a page beyond where the mapping does in its leaf
 * table: what begins at the same place Linux moves without its pages, table by table. */
static void move(char *memory, size_t mebibytes)
{
    size_t bytes = mebibytes << 20;
    char *free_range = new_pages(bytes / PAGE + 1024);
    char *other = free_range + ((memory - free_range) & (PAGE * 512 - 1)) + PAGE;
    NEED(munmap(free_range, bytes + PAGE * 1024) == 0);
    uint64_t start = now();
    NEED(mremap(memory, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, other) == other);
    NEED(mremap(other, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, memory) == memory);
    say_taken("mremap", mebibytes, now() - start, 2);
}

static void unmap(char *memory, size_t mebibytes)
{
    uint64_t start = now();
    NEED(munmap(memory, mebibytes << 20) == 0);
    say_taken("munmap", mebibytes, now() - start, 1);
}

static void measure(size_t mebibytes)
{
    char *memory = new_pages(mebibytes << 8);
    store_to_each(memory, mebibytes << 8);
    protect(memory, mebibytes);
    move(memory, mebibytes);
    unmap(memory, mebibytes);
}

int main(int argc, char **argv)
{
    measure(argument(argc, argv, 1, 1));
    measured = 1;
    for (int index = 1; index < argc; index++)
        measure(argument(argc, argv, index, 1));
    return 0;
}

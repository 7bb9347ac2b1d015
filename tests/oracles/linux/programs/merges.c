/* Mappings that become one again, and those that stay apart because of what is in them. */
#include "huge.h"

#define PAGES 30
#define RW (PROT_READ | PROT_WRITE)

/* Prints how many mappings cover `count` pages at `at`. */
static void mappings(const char *step, const char *at, int count)
{
    unsigned long start, end, first = (unsigned long)at, last = first + count * PAGE;
    int found = 0;
    slurp("/proc/self/maps");
    for (char *row = text; *row; row = strchr(row, '\n') + 1) {
        sscanf(row, "%lx-%lx", &start, &end);
        found += start < last && end > first;
    }
    say("%s: %d", step, found);
}

static char *split_and_restored(int touched, int advice)
{
    char *at = anonymous(PAGES);
    store_pages(at, touched, 1);
    if (advice)
        madvise(at + 10 * PAGE, 10 * PAGE, MADV_DONTFORK);
    else
        mprotect(at + 10 * PAGE, 10 * PAGE, PROT_READ);
    mappings("split", at, PAGES);
    if (advice)
        madvise(at + 10 * PAGE, 10 * PAGE, MADV_DOFORK);
    else
        mprotect(at + 10 * PAGE, 10 * PAGE, RW);
    return at;
}

static void in_one_process(void)
{
    char *at = split_and_restored(0, 0);
    mappings("untouched, rights restored", at, PAGES);
    munmap(at, PAGES * PAGE);
    at = split_and_restored(PAGES, 0);
    mappings("touched, rights restored", at, PAGES);
    munmap(at + 10 * PAGE, 10 * PAGE);
    mmap(at + 10 * PAGE, 10 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mappings("a part mapped anew", at, PAGES);
    munmap(at, PAGES * PAGE);
    at = split_and_restored(PAGES, 1);
    mappings("touched, advice taken back", at, PAGES);
    munmap(at, PAGES * PAGE);
}

static void after_a_fork(void)
{
    char *at = anonymous(PAGES);
    store_pages(at, PAGES, 1);
    mprotect(at + 10 * PAGE, 10 * PAGE, PROT_READ);
    CHILD("child", {
        mprotect(at + 10 * PAGE, 10 * PAGE, RW);
        mappings("rights restored after the fork", at, PAGES);
    });
    mprotect(at + 10 * PAGE, 10 * PAGE, RW);
    mappings("rights restored after the child", at, PAGES);
    munmap(at, PAGES * PAGE);
}

static void moved(int touched)
{
    char *at = anonymous(PAGES), *from = anonymous(10);
    store_pages(at, PAGES, 1);
    store_pages(from, touched, 1);
    mremap(from, 10 * PAGE, 10 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 10 * PAGE);
    mappings(touched ? "touched pages moved into it" : "untouched pages moved into it", at, PAGES);
    munmap(at, PAGES * PAGE);
}

int main(void)
{
    settle();
    in_one_process();
    after_a_fork();
    moved(0);
    moved(10);
}

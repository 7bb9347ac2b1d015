/* What changes huge pages: discards at their ends, PROT_NONE, the break, MADV_FREE, shared memory of
   two processes, collapses that are refused, locks, and orders of advice and stores. */
#include "huge.h"
#include <sched.h>
#include <sys/prctl.h>

static long status_field(const char *name)
{
    slurp("/proc/self/status");
    char *at = strstr(text, name);
    return at ? strtol(at + strlen(name) + 1, NULL, 10) : -1;
}

static void ends(void)
{
    char *at = advised(4);
    store_pages(at, 4, COUNT);
    STEP("DONTNEED of the first page", at, madvise(at, PAGE, MADV_DONTNEED));
    STEP("DONTNEED of the last page", at, madvise(at + 2 * HUGE - PAGE, PAGE, MADV_DONTNEED));
    STEP("DONTNEED across two", at, madvise(at + 3 * HUGE - PAGE, 2 * PAGE, MADV_DONTNEED));
    STEP("store to all pages", at, store_pages(at, 4 * COUNT, 1));
    STEP("DONTNEED of all of it", at, madvise(at, 4 * HUGE, MADV_DONTNEED));
    load_pages(at, 4, COUNT);
    STEP("DONTNEED of a part of zeroes", at, madvise(at + 5 * PAGE, PAGE, MADV_DONTNEED));
    STEP("load of it", at, load_pages(at, COUNT, 1));
    munmap(at, 4 * HUGE);
}

static void without_rights(void)
{
    char *at = advised(2);
    mprotect(at, HUGE, PROT_NONE);
    STEP("the rest when one has no rights", at + HUGE, store_pages(at + HUGE, 1, 1));
    mprotect(at, HUGE, PROT_READ | PROT_WRITE);
    STEP("all rights", at, store_pages(at, 1, 1));
    mprotect(at, 2 * HUGE, PROT_NONE);
    show("no rights", at);
    CHILD("child", {
        show("no rights", at);
        mprotect(at, 2 * HUGE, PROT_READ | PROT_WRITE);
        STEP("rights again", at, load_pages(at, COUNT, 1));
        STEP("store", at, store_pages(at, 2, 1));
    });
    mprotect(at, 2 * HUGE, PROT_READ | PROT_WRITE);
    STEP("rights after the child", at, store_pages(at, 2, 1));
    STEP("rights of a part", at + 9 * PAGE, mprotect(at + 9 * PAGE, PAGE, PROT_NONE));
    show("behind it", at + 10 * PAGE);
    mprotect(at, 2 * HUGE, PROT_READ | PROT_WRITE);
    STEP("rights of all", at, store_pages(at, 2 * COUNT, 1));
    munmap(at, 2 * HUGE);
}

static void heap(void)
{
    char *start = sbrk(0);
    char *at = (char *)(((unsigned long)start + HUGE - 1) & -HUGE);
    if (brk(at + 3 * HUGE))
        fail("brk");
    madvise(at, 3 * HUGE, MADV_HUGEPAGE);
    regions[region_count] = at;
    region_sizes[region_count++] = 4 * HUGE;
    STEP("heap", at, store_pages(at, 3, COUNT));
    STEP("shrunk by a page", at, brk(at + 3 * HUGE - PAGE));
    STEP("shrunk to half a huge page", at, brk(at + HUGE + HUGE / 2));
    show("what is left", at);
    brk(at + 2 * HUGE);
    STEP("grown", at, store_pages(at + HUGE + HUGE / 2, 3, 1));
    CHILD("child", {
        STEP("shrunk", at, brk(at + HUGE));
        STEP("store", at, store_pages(at, 3, 1));
    });
    STEP("after the child", at, store_pages(at, 3, 1));
    brk(start);
}

static void freed(void)
{
    char *at = advised(2);
    store_pages(at, 2, COUNT);
    result("FREE of one", madvise(at, HUGE, MADV_FREE));
    result("FREE of a part", madvise(at + HUGE + 7 * PAGE, 3 * PAGE, MADV_FREE));
    store_pages(at, 2 * COUNT, 1);
    show("stored to again", at);
    munmap(at, 2 * HUGE);
}

static int in_our_memory(void *at)
{
    store_pages(at, 3, 1);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    _exit(0);
}

static void two_processes(void)
{
    char *at = advised(3), *stack = anonymous(16) + 16 * PAGE;
    store_pages(at, 1, 1);
    CHILD("child", {});
    int pid = clone(in_our_memory, stack, CLONE_VM | SIGCHLD, at);
    await(pid);
    show("stored to by a process in this memory", at);
    say("PR_GET_THP_DISABLE: %d", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    STEP("store to the next", at, store_pages(at + HUGE, 1, 1));
    result("COLLAPSE", madvise(at + HUGE, HUGE, MADV_COLLAPSE));
    CHILD("child", { say("PR_GET_THP_DISABLE: %d", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)); });
    result("PR_SET_THP_DISABLE", prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
    STEP("store to the third", at, store_pages(at + 2 * HUGE, 1, 1));
    result("with a third argument", prctl(PR_SET_THP_DISABLE, 1, 0, 1, 0));
    result("get with an argument", prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
    munmap(at, 3 * HUGE);
}

static void refused(void)
{
    char *at = aligned_region(3, 0);
    store_pages(at, 3 * COUNT, 1);
    result("COLLAPSE between the ends", madvise(at + PAGE, 8 * PAGE, MADV_COLLAPSE));
    result("COLLAPSE up to the end", madvise(at + PAGE, HUGE - PAGE, MADV_COLLAPSE));
    result("COLLAPSE of the first page", madvise(at, PAGE, MADV_COLLAPSE));
    result("COLLAPSE of nothing", madvise(at, 0, MADV_COLLAPSE));
    mprotect(at + HUGE + 8 * PAGE, PAGE, PROT_READ);
    STEP("of several mappings", at, result("COLLAPSE", madvise(at, 3 * HUGE, MADV_COLLAPSE)));
    mprotect(at, 3 * HUGE, PROT_READ | PROT_WRITE);
    munmap(at + 2 * HUGE + 8 * PAGE, PAGE);
    STEP("up to a hole", at, result("COLLAPSE", madvise(at, 3 * HUGE, MADV_COLLAPSE)));
    munmap(at, 3 * HUGE);
    at = aligned_region(1, 0);
    load_pages(at, 4, 1);
    result("COLLAPSE of zeroes that no page was stored beside", madvise(at, HUGE, MADV_COLLAPSE));
    munmap(at, HUGE);
}

static void locked(void)
{
    char *at = advised(2);
    store_pages(at, 1, 1);
    STEP("locked", at, result("mlock", mlock(at, 2 * HUGE)));
    result("DONTNEED", madvise(at, HUGE, MADV_DONTNEED));
    STEP("unlocked in part", at, munlock(at, 9 * PAGE));
    show("the rest", at + 9 * PAGE);
    munmap(at, 2 * HUGE);
}

static void orders(void)
{
    char *at = aligned_region(2, 0);
    store_pages(at + 7 * PAGE, 1, 1);
    madvise(at, 2 * HUGE, MADV_HUGEPAGE);
    STEP("advised after a store", at, store_pages(at, COUNT + 1, 1));
    munmap(at, 2 * HUGE);
    at = advised(1);
    CHILD("first child", { STEP("store", at, store_pages(at, 1, 1)); });
    STEP("forked before the first store", at, store_pages(at, 1, 1));
    CHILD("second child", {
        STEP("NOHUGEPAGE", at, madvise(at, HUGE, MADV_NOHUGEPAGE));
        STEP("store", at, store_pages(at, 2, 1));
        madvise(at, HUGE, MADV_HUGEPAGE);
        STEP("DONTNEED", at, madvise(at, HUGE, MADV_DONTNEED));
        STEP("store to all", at, store_pages(at, COUNT, 1));
    });
    char *room = aligned_region(2, 0);
    store_pages(room, COUNT, 1);
    STEP("moved over pages", room,
         mremap(at, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, room));
    STEP("moved back by half", room,
         at = mremap(room, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 3 * HUGE / 2));
    show("there", at);
    munmap(room, 3 * HUGE);
}

/* In MiB, rounded: Linux counts pages by processor, and may be some behind. */
static long more_than(long before)
{
    return (status_field("\nVmHWM:") - before + 512) >> 10;
}

static void peak(void)
{
    char *at = advised(8);
    long before = status_field("\nVmHWM:");
    store_pages(at, 8, COUNT);
    say("peak: %ld MiB more", more_than(before));
    munmap(at, 8 * HUGE);
    say("after munmap: %ld MiB", more_than(before));
}

int main(void)
{
    settle();
    ends();
    without_rights();
    heap();
    freed();
    two_processes();
    refused();
    locked();
    orders();
    peak();
}

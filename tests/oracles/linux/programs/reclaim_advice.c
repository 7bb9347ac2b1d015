/* MADV_FREE, MADV_COLD and MADV_PAGEOUT: what is resident, clean and referenced afterwards, and what
   does the next access cost? The system has no swap. LazyFree of smaps is not asked: Linux counts a
   page only once a batch of them has left the lists of reclaim. */
#include "oracle.h"

#define PAGES 16

static int kept(const char *at, int count)
{
    int found = 0;
    for (int n = 0; n < count; n++)
        found += at[n * PAGE] == 1;
    return found;
}

static void freed(void)
{
    char *at = anonymous(PAGES);
    store_pages(at, 12, 1);
    load_pages(at + 12 * PAGE, 4, 1);
    STEP("FREE of 8", at, madvise(at, 8 * PAGE, MADV_FREE));
    say("bytes: %d", kept(at, 12));
    STEP("load them", at, load_pages(at, 8, 1));
    STEP("store to 4", at, store_pages(at, 4, 1));
    STEP("FREE of all", at, madvise(at, PAGES * PAGE, MADV_FREE));
    STEP("store to all", at, store_pages(at, PAGES, 1));
    for (int round = 0; round < 5; round++) {
        madvise(at, PAGES * PAGE, MADV_FREE);
        store_pages(at, PAGES, 1);
    }
    STEP("five rounds", at, store_pages(at, PAGES, 1));
    CHILD("child", {
        STEP("FREE of shared pages", at, madvise(at, 8 * PAGE, MADV_FREE));
        STEP("store to 4", at, store_pages(at, 4, 1));
        STEP("FREE of those", at, madvise(at, 8 * PAGE, MADV_FREE));
    });
    STEP("after the child", at, store_pages(at, PAGES, 1));
    madvise(at, 4 * PAGE, MADV_FREE);
    CHILD("second child", { show("freed before the fork", at); });
    STEP("read-only", at, mprotect(at, PAGES * PAGE, PROT_READ));
    STEP("FREE of read-only memory", at, madvise(at, 8 * PAGE, MADV_FREE));
    munmap(at, PAGES * PAGE);
}

static void cold(void)
{
    char *at = anonymous(PAGES);
    store_pages(at, 12, 1);
    STEP("COLD of 8", at, madvise(at, 8 * PAGE, MADV_COLD));
    STEP("load 2 of them", at, load_pages(at, 2, 1));
    CHILD("child", {
        load_pages(at, 12, 1);
        STEP("COLD of shared pages", at, madvise(at, 8 * PAGE, MADV_COLD));
        store_pages(at, 2, 1);
        STEP("COLD with two of its own", at, madvise(at, 8 * PAGE, MADV_COLD));
    });
    STEP("COLD of all", at, madvise(at, PAGES * PAGE, MADV_COLD));
    STEP("store to all", at, store_pages(at, PAGES, 1));
    munmap(at, PAGES * PAGE);
}

static void paged_out(void)
{
    char *at = anonymous(PAGES);
    store_pages(at, 12, 1);
    STEP("PAGEOUT of 8", at, madvise(at, 8 * PAGE, MADV_PAGEOUT));
    STEP("store to 12", at, store_pages(at, 12, 1));
    munmap(at, PAGES * PAGE);
}

static void shared_memory(void)
{
    char *at = region_of(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    store_pages(at, 12, 1);
    STEP("COLD of shared memory", at, madvise(at, 8 * PAGE, MADV_COLD));
    STEP("PAGEOUT of shared memory", at, madvise(at, 8 * PAGE, MADV_PAGEOUT));
    STEP("store to 8 of it", at, store_pages(at, 8, 1));
    CHILD("child", {
        load_pages(at, 12, 1);
        STEP("PAGEOUT of what two map", at, madvise(at, 12 * PAGE, MADV_PAGEOUT));
    });
    munmap(at, PAGES * PAGE);
}

/* What a child has of pages that a call brought in, and not a store. */
static void brought_in(void)
{
    char *at = anonymous(PAGES);
    madvise(at, PAGES * PAGE, MADV_POPULATE_WRITE);
    CHILD("child", { show("populated", at); });
    munmap(at, PAGES * PAGE);
    at = anonymous(PAGES);
    mlock(at, PAGES * PAGE);
    CHILD("child", { show("locked by its parent", at); });
    munmap(at, PAGES * PAGE);
}

int main(void)
{
    settle();
    shared_memory();
    freed();
    cold();
    paged_out();
    brought_in();
}

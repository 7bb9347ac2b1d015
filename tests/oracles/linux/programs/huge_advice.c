/* MADV_FREE and MADV_COLD of huge pages, in whole and in part. No page holds zeroes only: Linux frees
   such pages when advice splits the memory of a huge page. */
#include "huge.h"

int main(void)
{
    settle();
    char *at = advised(3);
    store_pages(at, 3 * COUNT, 1);
    STEP("FREE of one", at, madvise(at, HUGE, MADV_FREE));
    STEP("store to it", at, store_pages(at, COUNT, 1));
    STEP("COLD of one", at, madvise(at, HUGE, MADV_COLD));
    STEP("COLD of 9 pages", at, madvise(at + HUGE, 9 * PAGE, MADV_COLD));
    STEP("store to all", at, store_pages(at, 3 * COUNT, 1));
    STEP("FREE of 9 pages", at, madvise(at + 2 * HUGE, 9 * PAGE, MADV_FREE));
    STEP("store to these", at, store_pages(at + 2 * HUGE, COUNT, 1));
    munmap(at, 3 * HUGE);
}

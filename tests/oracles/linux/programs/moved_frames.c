/* Which stores after a fork move a page to another frame, and which take its own? */
/* emu: --expose-frames */
#include "huge.h"

#define ENTRIES (4 * COUNT)

static unsigned long frames_before[ENTRIES], frames_after[ENTRIES];

static void read_frames(const char *at, int count, unsigned long *frames)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    if (pread(fd, frames, count * 8, (unsigned long)at / PAGE * 8) != count * 8)
        fail("pagemap");
    close(fd);
    for (int n = 0; n < count; n++)
        frames[n] = frames[n] >> 63 ? frames[n] & ((1UL << 55) - 1) : 0;
}

/* Stores to `count` pages, `stride` pages apart, and prints how many of `all` pages moved. */
static void moves(const char *step, char *at, int count, int stride, int all)
{
    read_frames(at, all, frames_before);
    store_pages(at, count, stride);
    read_frames(at, all, frames_after);
    int moved = 0, mapped = 0;
    for (int n = 0; n < all; n++) {
        mapped += frames_before[n] != 0;
        moved += frames_before[n] && frames_before[n] != frames_after[n];
    }
    say("%s: %d of %d moved", step, moved, mapped);
}

/* A child that is alive until `end_child`: it has done `body` when `start_child` returns. */
static int started[2], ended[2];
static pid_t living;

#define LIVING_CHILD(body)                                            \
    do {                                                              \
        if (pipe(started) || pipe(ended))                             \
            fail("pipe");                                             \
        if (!(living = fork())) {                                     \
            char token = 0;                                           \
            who = "child";                                            \
            close(ended[1]);                                          \
            body;                                                     \
            if (write(started[1], &token, 1) != 1)                    \
                fail("write");                                        \
            _exit(read(ended[0], &token, 1) != 0);                    \
        }                                                             \
        char token;                                                   \
        if (read(started[0], &token, 1) != 1)                         \
            fail("read");                                             \
    } while (0)

static void end_child(void)
{
    for (int n = 0; n < 2; n++)
        close(ended[n]), close(started[n]);
    await(living);
}

static void small_pages(void)
{
    char *at = anonymous(64);
    store_pages(at, 64, 1);
    LIVING_CHILD(moves("small pages", at, 32, 2, 64));
    moves("small pages that the child copied", at, 32, 2, 64);
    moves("small pages that it has", at + PAGE, 16, 2, 63);
    end_child();
    moves("small pages after the child", at, 64, 1, 64);
    munmap(at, 64 * PAGE);
}

static void pages_of_huge_ones(void)
{
    char *at = advised(4);
    store_pages(at, 4, COUNT);
    LIVING_CHILD(moves("every second page", at, 2 * COUNT, 2, 4 * COUNT));
    moves("pages that the child copied", at, COUNT / 2, 2, 4 * COUNT);
    moves("pages that it has", at + PAGE, COUNT / 4, 2, 4 * COUNT - 1);
    end_child();
    moves("after the child: pages that it copied", at + HUGE, COUNT / 4, 2, 3 * COUNT);
    moves("after the child: the others", at + 2 * HUGE, 2 * COUNT, 1, 2 * COUNT);
    munmap(at, 4 * HUGE);
}

static void unmapped_in_part(void)
{
    char *at = advised(2);
    store_pages(at, 2, COUNT);
    LIVING_CHILD(munmap(at, HUGE / 2));
    moves("pages that the child unmapped", at, 10, 1, 2 * COUNT);
    moves("pages that it has", at + HUGE / 2, 10, 1, COUNT);
    moves("a huge page that it has", at + HUGE, 3, 1, COUNT);
    end_child();
    moves("after the child", at, 2 * COUNT, 1, 2 * COUNT);
    munmap(at, 2 * HUGE);
}

static void discarded(void)
{
    char *at = advised(1);
    store_pages(at, 1, 1);
    LIVING_CHILD(madvise(at, HUGE, MADV_DONTNEED));
    moves("a huge page that the child discarded", at, COUNT, 1, COUNT);
    end_child();
    LIVING_CHILD(madvise(at, HUGE - PAGE, MADV_DONTNEED));
    moves("a huge page of which it has one page", at, COUNT, 1, COUNT);
    end_child();
    munmap(at, HUGE);
}

static void one_page_left(void)
{
    char *at = advised(1);
    store_pages(at, 1, 1);
    CHILD("child", { store_pages(at, 3, 1); });
    madvise(at, 5 * PAGE, MADV_DONTNEED);
    CHILD("child", {});
    madvise(at + 6 * PAGE, HUGE - 6 * PAGE, MADV_DONTNEED);
    moves("the last page of a huge one", at + 5 * PAGE, 1, 1, COUNT - 5);
    munmap(at, HUGE);
}

int main(void)
{
    settle();
    small_pages();
    pages_of_huge_ones();
    unmapped_in_part();
    discarded();
    one_page_left();
}

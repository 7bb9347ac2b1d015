/* Transparent huge pages: which fault maps 2 MiB, what splits it, and what fork, advice and the
   kernel's own writes make of it? The system's setting is `madvise`. */
#include "huge.h"
#include <sys/prctl.h>

static void first_touch(void)
{
    char *at = aligned_region(2, 0);
    STEP("store without advice", at, store_pages(at, 1, 1));
    at = advised(3);
    STEP("advised", at, );
    STEP("store", at, store_pages(at + 5 * PAGE, 1, 1));
    STEP("store to the others of it", at, store_pages(at, COUNT, 1));
    STEP("load of the next", at, load_pages(at + HUGE, 1, 1));
    STEP("load of all of it", at, load_pages(at + HUGE, COUNT, 1));
    STEP("store to it", at, store_pages(at + HUGE + 7 * PAGE, 1, 1));
    STEP("store to more of it", at, store_pages(at + HUGE, 20, 1));
    STEP("last one", at, store_pages(at + 3 * HUGE - PAGE, 1, 1));
    munmap(at, 3 * HUGE);
}

static void not_aligned(void)
{
    char *at = aligned_region(1, 3);
    madvise(at, HUGE + 3 * PAGE, MADV_HUGEPAGE);
    STEP("store to the pages in front", at, store_pages(at, 3, 1));
    STEP("store to the aligned part", at, store_pages(at + 3 * PAGE, 1, 1));
    char *small = aligned_region(1, 0);
    madvise(small, HUGE - PAGE, MADV_HUGEPAGE);
    STEP("all but a page is advised", small, store_pages(small, 4, 1));
    char *late = aligned_region(1, 0);
    store_pages(late, 1, 1);
    madvise(late, HUGE, MADV_HUGEPAGE);
    STEP("advised after the first page", late, store_pages(late, 9, 1));
    STEP("DONTNEED of all", late, madvise(late, HUGE, MADV_DONTNEED));
    char *never = advised(1);
    madvise(never, HUGE, MADV_NOHUGEPAGE);
    STEP("NOHUGEPAGE", never, store_pages(never, 2, 1));
    char *page = aligned_region(1, 0);
    mprotect(page, HUGE, PROT_READ);
    madvise(page, HUGE, MADV_HUGEPAGE);
    STEP("load of read-only memory", page, load_pages(page, 2, 1));
    STEP("made writable", page, mprotect(page, HUGE, PROT_READ | PROT_WRITE));
    STEP("store after it", page, store_pages(page, 2, 1));
}

static void generations(void)
{
    char *at = advised(2);
    store_pages(at, 1, 1);
    load_pages(at + HUGE, 1, 1);
    show("before the fork", at);
    CHILD("child", {
        show("as inherited", at);
        STEP("load", at, load_pages(at, COUNT, 1));
        STEP("store to 1", at, store_pages(at + 9 * PAGE, 1, 1));
        STEP("store to 3 more", at, store_pages(at, 3, 1));
        STEP("store to zeroes", at, store_pages(at + HUGE + PAGE, 1, 1));
        CHILD("grandchild", {
            show("as inherited", at);
            STEP("store to 4", at, store_pages(at, 4, 1));
            STEP("store to zeroes of its own", at, store_pages(at + HUGE, 2, 1));
        });
        STEP("store after the grandchild", at, store_pages(at, 4, 1));
    });
    show("after the child", at);
    STEP("reuse", at, store_pages(at, COUNT, 1));
    CHILD("second child", {
        STEP("DONTNEED of 10 pages", at, madvise(at + 4 * PAGE, 10 * PAGE, MADV_DONTNEED));
        STEP("store to 2 of them", at, store_pages(at + 4 * PAGE, 2, 1));
    });
    STEP("store after it", at, store_pages(at, COUNT, 1));
    CHILD("third child", {});
    STEP("fork again, then load", at, load_pages(at, COUNT, 1));
    munmap(at, 2 * HUGE);
}

static void parent_first(void)
{
    char *at = advised(1);
    int go[2], back[2];
    char token = 'x';
    store_pages(at, COUNT, 1);
    if (pipe(go) || pipe(back))
        fail("pipe");
    pid_t pid = fork();
    if (!pid) {
        who = "waiting child";
        settle();
        read(go[0], &token, 1);
        show("after the parent's stores", at);
        STEP("store to the pages that the parent copied", at, store_pages(at, 3, 1));
        STEP("store to all", at, store_pages(at, COUNT, 1));
        write(back[1], &token, 1);
        read(go[0], &token, 1);
        _exit(0);
    }
    settle();
    STEP("the parent stores to 3", at, store_pages(at, 3, 1));
    write(go[1], &token, 1);
    read(back[0], &token, 1);
    settle();
    STEP("all of it, after the child's copies", at, store_pages(at, COUNT, 1));
    write(go[1], &token, 1);
    await(pid);
    munmap(at, HUGE);
}

static void parts(void)
{
    char *at = advised(6);
    store_pages(at, 6, COUNT);
    show("six", at);
    STEP("DONTNEED of a page", at, madvise(at + 3 * PAGE, PAGE, MADV_DONTNEED));
    STEP("store to it", at, store_pages(at + 3 * PAGE, 1, 1));
    STEP("DONTNEED of one", at, madvise(at + HUGE, HUGE, MADV_DONTNEED));
    STEP("store to it again", at, store_pages(at + HUGE, 1, 1));
    STEP("read-only", at, mprotect(at, 6 * HUGE, PROT_READ));
    STEP("load", at, load_pages(at, 6, COUNT));
    STEP("writable", at, mprotect(at, 6 * HUGE, PROT_READ | PROT_WRITE));
    STEP("store to each", at, store_pages(at, 6, COUNT));
    STEP("a page is read-only", at, mprotect(at + 2 * HUGE + 5 * PAGE, PAGE, PROT_READ));
    STEP("a page is writable again", at,
         mprotect(at + 2 * HUGE + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE));
    STEP("store to it", at, store_pages(at + 2 * HUGE, 8, 1));
    STEP("unmap a page", at, munmap(at + 3 * HUGE + PAGE, PAGE));
    show("above it", at + 3 * HUGE + 2 * PAGE);
    STEP("NOHUGEPAGE of what is mapped", at, madvise(at, HUGE, MADV_NOHUGEPAGE));
    show("its neighbour", at + HUGE);
    STEP("locked in part", at + 4 * HUGE + 7 * PAGE, mlock(at + 4 * HUGE + 7 * PAGE, PAGE));
    show("behind the locked page", at + 4 * HUGE + 8 * PAGE);
    munmap(at, 6 * HUGE);
}

static void moved(void)
{
    char *at = advised(2), *room = aligned_region(4, 0), *new;
    store_pages(at, 2, COUNT);
    munmap(room, 4 * HUGE);
    new = mremap(at, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    STEP("moved by whole huge pages", new, );
    STEP("store after the move", new, store_pages(new, COUNT, 1));
    new = mremap(at + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 2 * HUGE + PAGE);
    STEP("moved by a page more", new, );
    STEP("store after that move", new, store_pages(new, COUNT, 1));
    STEP("shrunk", new, mremap(new, HUGE, HUGE / 2, 0));
    munmap(room, 4 * HUGE);
}

static void collapsed(void)
{
    char *at = aligned_region(8, 0);
    store_pages(at, COUNT, 1);
    STEP("512 pages", at, result("COLLAPSE", madvise(at, HUGE, MADV_COLLAPSE)));
    STEP("store to them", at, store_pages(at, COUNT, 1));
    store_pages(at + HUGE, 3, 5);
    STEP("3 pages", at, result("COLLAPSE", madvise(at + HUGE, HUGE, MADV_COLLAPSE)));
    STEP("nothing there", at, result("COLLAPSE", madvise(at + 2 * HUGE, HUGE, MADV_COLLAPSE)));
    STEP("again", at, result("COLLAPSE", madvise(at, HUGE, MADV_COLLAPSE)));
    STEP("two and nothing", at, result("COLLAPSE", madvise(at, 3 * HUGE, MADV_COLLAPSE)));
    STEP("a part", at, result("COLLAPSE", madvise(at + PAGE, HUGE, MADV_COLLAPSE)));
    load_pages(at + 3 * HUGE, 4, 1);
    STEP("only zero pages", at, result("COLLAPSE of zeroes", madvise(at + 3 * HUGE, HUGE, MADV_COLLAPSE)));
    store_pages(at + 4 * HUGE, 4, 1);
    load_pages(at + 4 * HUGE, 8, 1);
    STEP("pages and zero pages", at,
         result("COLLAPSE", madvise(at + 4 * HUGE, HUGE, MADV_COLLAPSE)));
    store_pages(at + 5 * HUGE, 8, 1);
    CHILD("child", {
        STEP("shared pages", at, result("COLLAPSE of shared pages", madvise(at + 5 * HUGE, HUGE, MADV_COLLAPSE)));
        STEP("store to these", at, store_pages(at + 5 * HUGE, 8, 1));
    });
    STEP("after the child", at, store_pages(at + 5 * HUGE, 8, 1));
    store_pages(at + 6 * HUGE, 4, 1);
    madvise(at + 6 * HUGE, HUGE, MADV_NOHUGEPAGE);
    say("NOHUGEPAGE: %s",
        madvise(at + 6 * HUGE, HUGE, MADV_COLLAPSE) ? strerror(errno) : "done");
    munmap(at, 8 * HUGE);
}

static void by_the_kernel(void)
{
    char *at = advised(2);
    int ends[2];
    if (pipe(ends))
        fail("pipe");
    write(ends[1], "abcdefgh", 8);
    STEP("read(2) into untouched memory", at, read(ends[0], at + 3 * PAGE, 4));
    STEP("write(2) from untouched memory", at, write(ends[1], at + HUGE, 4));
    CHILD("child", {
        STEP("read(2) into a shared huge page", at, read(ends[0], at + 7 * PAGE, 4));
        say("%.4s", at + 7 * PAGE);
    });
    STEP("read(2) after the child", at, read(ends[0], at + 7 * PAGE, 4));
    close(ends[0]);
    close(ends[1]);
    munmap(at, 2 * HUGE);
}

static unsigned long pagemap_bits(const char *at)
{
    unsigned long entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY);
    if (fd < 0 || pread(fd, &entry, 8, (unsigned long)at / PAGE * 8) != 8)
        fail("pagemap");
    close(fd);
    return entry >> 55;
}

static void referenced(void)
{
    char *at = advised(2);
    store_pages(at, 2, COUNT);
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    STEP("clear_refs", at, write(fd, "1", 1));
    STEP("load of a page", at, load_pages(at + 5 * PAGE, 1, 1));
    STEP("DONTFORK of a page", at, madvise(at + 3 * PAGE, PAGE, MADV_DONTFORK));
    show("above it", at + 4 * PAGE);
    CHILD("child", {
        show("below", at);
        show("the page", at + 3 * PAGE);
        show("above", at + 4 * PAGE);
    });
    say("pagemap: %lx %lx", pagemap_bits(at) & ~1UL, pagemap_bits(at + HUGE) & ~1UL);
    close(fd);
    munmap(at, 2 * HUGE);
}

static void limits_of_a_process(void)
{
    say("PR_GET_THP_DISABLE: %d", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    result("PR_SET_THP_DISABLE", prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    char *at = advised(1);
    STEP("store", at, store_pages(at, 2, 1));
    CHILD("child", { say("PR_GET_THP_DISABLE: %d", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)); });
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    munmap(at, HUGE);
}

static void addresses(void)
{
    static const unsigned long sizes[] = {HUGE, 2 * HUGE, 3 * HUGE, HUGE + PAGE, HUGE - PAGE};
    for (unsigned n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char *at = mmap(NULL, sizes[n], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (sizes[n] % HUGE == 0)
            say("mapping of %lu MiB: %lu pages past a multiple of 2 MiB", sizes[n] >> 20,
                (unsigned long)at % HUGE / PAGE);
    }
    char *shared = mmap(NULL, HUGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    say("shared: %lu pages past it", (unsigned long)shared % HUGE / PAGE);
}

int main(void)
{
    settle();
    first_touch();
    not_aligned();
    generations();
    parent_first();
    parts();
    moved();
    collapsed();
    by_the_kernel();
    referenced();
    limits_of_a_process();
    addresses();
}

/* Private anonymous memory: what does each access, each fork and each advice cost, and who holds
   the pages afterwards? */
#include "oracle.h"

#define PAGES 32

static void touch(void)
{
    char *at = anonymous(PAGES);
    STEP("untouched", at, );
    STEP("load 4", at, load_pages(at, 4, 1));
    STEP("store to 2 of them", at, store_pages(at, 2, 1));
    STEP("store to 8 others", at, store_pages(at + 8 * PAGE, 8, 1));
    STEP("load all", at, load_pages(at, PAGES, 1));
    STEP("store to all", at, store_pages(at, PAGES, 1));
    STEP("store to all again", at, store_pages(at, PAGES, 1));
    STEP("DONTNEED of half", at, madvise(at, PAGES / 2 * PAGE, MADV_DONTNEED));
    STEP("load 3 again", at, load_pages(at, 3, 1));
    STEP("store to 3 again", at, store_pages(at, 3, 1));
    STEP("unmap", at, munmap(at, PAGES * PAGE));
}

static void protect(void)
{
    char *at = anonymous(PAGES);
    store_pages(at, 8, 1);
    load_pages(at + 8 * PAGE, 8, 1);
    STEP("read-only", at, mprotect(at, PAGES * PAGE, PROT_READ));
    STEP("load from read-only", at, load_pages(at, PAGES, 1));
    STEP("writable again", at, mprotect(at, PAGES * PAGE, PROT_READ | PROT_WRITE));
    STEP("store to 8", at, store_pages(at, 8, 1));
    STEP("store to 8 zero pages", at, store_pages(at + 8 * PAGE, 8, 1));
    STEP("no access", at, mprotect(at, PAGES * PAGE, PROT_NONE));
    STEP("access again", at, mprotect(at, PAGES * PAGE, PROT_READ | PROT_WRITE));
    STEP("load all", at, load_pages(at, PAGES, 1));
    munmap(at, PAGES * PAGE);
}

static void generations(void)
{
    char *at = anonymous(PAGES);
    store_pages(at, 16, 1);
    load_pages(at + 16 * PAGE, 4, 1);
    show("before the fork", at);
    CHILD("child", {
        show("as inherited", at);
        STEP("load all", at, load_pages(at, PAGES, 1));
        STEP("copy 4", at, store_pages(at, 4, 1));
        STEP("store to 2 zero pages", at, store_pages(at + 16 * PAGE, 2, 1));
        CHILD("grandchild", {
            show("as inherited", at);
            STEP("copy 6", at, store_pages(at, 6, 1));
            CHILD("great-grandchild", {
                show("as inherited", at);
                STEP("copy 10", at, store_pages(at, 10, 1));
                STEP("DONTNEED of 3", at, madvise(at, 3 * PAGE, MADV_DONTNEED));
            });
            STEP("store to 6 after its child", at, store_pages(at, 6, 1));
        });
        show("after the grandchild", at);
        STEP("store to 8 after the grandchild", at, store_pages(at, 8, 1));
    });
    show("after the child", at);
    STEP("reuse of 16", at, store_pages(at, 16, 1));
    munmap(at, PAGES * PAGE);
}

/* Siblings alive at the same time: each waits at a pipe until the one before is done. */
static void siblings(void)
{
    char *at = anonymous(PAGES);
    int turns[4][2];
    pid_t pids[3];
    char token = 'x';
    store_pages(at, PAGES, 1);
    for (int n = 0; n < 4; n++)
        if (pipe(turns[n]))
            fail("pipe");
    for (int n = 0; n < 3; n++)
        if (!(pids[n] = fork())) {
            static const char *names[] = {"first", "second", "third"};
            who = names[n];
            settle();
            if (read(turns[n][0], &token, 1) != 1)
                fail("read");
            show("as inherited", at);
            STEP("store to 5", at, store_pages(at + n * 4 * PAGE, 5, 1));
            if (n == 1)
                STEP("unmap", at, munmap(at, PAGES * PAGE));
            if (n == 2)
                STEP("store to all", at, store_pages(at, PAGES, 1));
            if (write(turns[n + 1][1], &token, 1) != 1 || read(turns[n][0], &token, 1) != 1)
                fail("a turn");
            _exit(0);
        }
    show("with three children", at);
    settle();
    if (write(turns[0][1], &token, 1) != 1 || read(turns[3][0], &token, 1) != 1)
        fail("a turn");
    show("after their stores", at);
    STEP("store to all", at, store_pages(at, PAGES, 1));
    for (int n = 0; n < 3; n++) {
        if (write(turns[n][1], &token, 1) != 1)
            fail("write");
        await(pids[n]);
        show("after the end of one", at);
    }
    STEP("store to all again", at, store_pages(at, PAGES, 1));
    munmap(at, PAGES * PAGE);
}

static void across_fork(void)
{
    char *wiped = anonymous(PAGES), *absent = anonymous(PAGES);
    store_pages(wiped, PAGES, 1);
    store_pages(absent, PAGES, 1);
    madvise(wiped, PAGES * PAGE, MADV_WIPEONFORK);
    madvise(absent, PAGES * PAGE, MADV_DONTFORK);
    CHILD("child", {
        show("wiped", wiped);
        show("absent", absent);
        STEP("load 4 wiped", wiped, load_pages(wiped, 4, 1));
        STEP("store to 8 wiped", wiped, store_pages(wiped, 8, 1));
    });
    STEP("store to all that was wiped", wiped, store_pages(wiped, PAGES, 1));
    STEP("store to all that was absent", absent, store_pages(absent, PAGES, 1));
    munmap(wiped, PAGES * PAGE);
    munmap(absent, PAGES * PAGE);
}

static void move(void)
{
    char *at = anonymous(PAGES), *to = anonymous(PAGES);
    store_pages(at, 12, 1);
    STEP("move", to, mremap(at, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
    STEP("store to what moved", to, store_pages(to, 12, 1));
    show("left behind", at);
    CHILD("child", {
        char *from = to;
        to = anonymous(PAGES);
        STEP("move what is shared", to,
             mremap(from, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
        STEP("copy 5", to, store_pages(to, 5, 1));
        STEP("shrink", to, mremap(to, PAGES * PAGE, 8 * PAGE, 0));
    });
    STEP("reuse", to, store_pages(to, 12, 1));
    munmap(to, PAGES * PAGE);
}

int main(void)
{
    settle();
    touch();
    protect();
    generations();
    siblings();
    across_fork();
    move();
}

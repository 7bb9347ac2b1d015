/* As many mappings as Linux allows (vm.max_map_count), and which calls may still make one. */
#include "ask.h"

/* Mappings of this process, without the kernel's own page that is not counted. */
static int mappings(void)
{
    static char text[1 << 16];
    int file = open("/proc/self/maps", O_RDONLY), lines = 0;
    for (long got; (got = read(file, text, sizeof text)) > 0;) {
        for (long at = 0; at < got; at++)
            lines += text[at] == '\n';
        if (memmem(text, got, "[vsyscall]", 10))
            lines--;
    }
    close(file);
    return lines;
}

static char *room;

/* Cuts pages out of `room` until the next cut fails. */
static void fill(int from)
{
    for (int at = from;; at += 2)
        if (mmap(room + at * PAGE, PAGE, RO, PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
            MAP_FAILED) {
            say("a mapping in the middle of one: %s\n", strerrorname_np(errno));
            return;
        }
}

/* Removes mappings of `room` until there are `count`. */
static void leave(int count)
{
    static int at = 1;
    for (int more = mappings() - count; more > 0; more--, at++)
        munmap(room + at * PAGE, PAGE);
    say("%d mappings\n", mappings());
}

static void one_more(void)
{
    char *block = pages(8, RO, PRIVATE), *upper = pages(8, RO, PRIVATE), *other = upper + PAGE;
    mprotect(other, 7 * PAGE, RW);
    fill(1);
    while (mappings() < 65531 && pages(1, RO, PRIVATE) != MAP_FAILED)
        ;
    say("%d mappings\n", mappings());
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(block, PAGE, RO, PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    ASK(brk(sbrk(0) + PAGE));
    ASK(munmap(block + 2 * PAGE, PAGE));
    ASK(munmap(block, PAGE));
    ASK(munmap(block + 7 * PAGE, PAGE));
    ASK(mprotect(block + PAGE, PAGE, NONE));
    ASK(madvise(block + PAGE, PAGE, MADV_DONTFORK));
    ASK(madvise(block + PAGE, 6 * PAGE, MADV_DONTFORK));
    ASK(mlock(block + PAGE, PAGE));
    ASK(mprotect(other, PAGE, RO));
    ASK(mprotect(upper, 3 * PAGE, RW));
    ASK(mprotect(upper, 4 * PAGE, RO));
    ASK(mprotect(upper, 4 * PAGE, NONE));
    say("%d mappings\n", mappings());
    ASK(mremap(block + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    leave(65529);
    ASK(mremap(block + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, block + 20 * PAGE));
    ASK(mprotect(block + 4 * PAGE, PAGE, NONE));
    say("%d mappings\n", mappings());
    leave(65527);
    ASK(mremap(block + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    leave(65526);
    ASK(mremap(block + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    say("%d mappings\n", mappings());
    leave(65525);
    ASK(mremap(upper + 5 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, block + 20 * PAGE));
    leave(65524);
    ASK(mremap(upper + 5 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, block + 20 * PAGE));
    say("%d mappings\n", mappings());
}

/* Gaps of one page each, and mappings of two pages, which do not fit. */
static void gaps(void)
{
    munmap(room, 140000 * PAGE);
    char *region = mmap(NULL, 60000 * PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int at = 0; at < 60000; at += 2)
        munmap(region + at * PAGE, PAGE);
    int inside = 0;
    for (int i = 0; i < 20000; i++) {
        char *got = mmap(NULL, 2 * PAGE, i & 1 ? RO : RW, PRIVATE | MAP_ANONYMOUS, -1, 0);
        inside += got >= region && got < region + 60000 * PAGE;
    }
    say("%d mappings of two pages in gaps of one, as many as that: %d\n", inside,
        mappings() > 50000 && mappings() < 50100);
    inside = 0;
    for (int i = 0; i < 30000; i++) {
        char *got = mmap(NULL, PAGE, i & 1 ? RO : RW, PRIVATE | MAP_ANONYMOUS, -1, 0);
        inside += got >= region && got < region + 60000 * PAGE;
    }
    say("%d mappings of one page in gaps of one\n", inside);
}

int main(void)
{
    drop_capabilities();
    room = mmap(NULL, 140000 * PAGE, NONE, PRIVATE | MAP_ANONYMOUS, -1, 0);
    one_more();
    APART("a child with as many", {
        ASK(mprotect(room, 140000 * PAGE, RO));
        *(volatile char *)room;
        ASK(munmap(room, 140000 * PAGE));
        VALUE(mappings() < 100);
    });
    gaps();
}

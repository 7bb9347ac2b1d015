/* Which pages are in memory: mincore(2). */
#include "ask.h"

static void show(const char *name, char *memory, int count)
{
    unsigned char there[64];
    char text[65] = "";
    memset(there, 'x', sizeof there);
    long result = mincore(memory, count * PAGE, there);
    for (int i = 0; i < count; i++)
        text[i] = there[i] == 'x' ? 'x' : there[i] < 2 ? '0' + there[i] : '?';
    say("%s: %s %s\n", name, text, result ? strerrorname_np(errno) : "");
}

static void anonymous(void)
{
    char *memory = pages(8, RW, PRIVATE), *none = pages(2, NONE, PRIVATE);
    volatile char *look = memory;
    show("untouched", memory, 8);
    memory[PAGE] = 1;
    look[3 * PAGE];
    show("written, read", memory, 8);
    madvise(memory + PAGE, PAGE, MADV_DONTNEED);
    show("given back", memory, 8);
    mprotect(memory, 8 * PAGE, NONE);
    show("not accessible", memory, 8);
    show("never accessible", none, 2);
    mprotect(memory, 8 * PAGE, RW);
    memory[0] = 1;
    APART("a child", {
        show("inherited", memory, 8);
        memory[6 * PAGE] = 1;
        show("written by the child", memory, 8);
    });
    show("its parent", memory, 8);
    madvise(memory, 8 * PAGE, MADV_WIPEONFORK);
    APART("a child", show("wiped", memory, 8));
    munmap(memory + 4 * PAGE, PAGE);
    show("up to a hole", memory, 4);
    show("over a hole", memory, 8);
    show("beyond the hole", memory + 5 * PAGE, 3);
    show("over the end", memory + 5 * PAGE, 4);
}

static void shared(void)
{
    char *memory = pages(8, RW, SHARED);
    volatile char *look = memory;
    show("untouched", memory, 8);
    memory[PAGE] = 1;
    look[5 * PAGE];
    show("written, read", memory, 8);
    APART("a child", {
        show("inherited", memory, 8);
        memory[6 * PAGE] = 1;
    });
    show("written by the child", memory, 8);
    madvise(memory, 8 * PAGE, MADV_DONTNEED);
    show("given back", memory, 8);
    madvise(memory + PAGE, PAGE, MADV_REMOVE);
    show("removed", memory, 8);
}

static void files(void)
{
    int file = bytes_file(2 * PAGE), holes = bytes_file(0);
    char *mapped = mmap(NULL, 4 * PAGE, RW, SHARED, file, 0), byte = 'y';
    char *copied = mmap(NULL, 4 * PAGE, RW, PRIVATE, file, 0);
    show("a file in memory, never touched", mapped, 4);
    show("private", copied, 4);
    copied[0] = 1;
    show("copied", copied, 4);
    ftruncate(file, 4 * PAGE);
    show("a file that grew", mapped, 4);
    mapped[3 * PAGE] = 1;
    show("a hole written through a mapping", mapped, 4);
    show("the same, private", copied, 4);
    ftruncate(holes, 8 * PAGE);
    char *hole = mmap(NULL, 8 * PAGE, RW, SHARED, holes, 0);
    pwrite(holes, &byte, 1, 2 * PAGE);
    pread(holes, &byte, 1, 4 * PAGE);
    show("a hole written to, and read", hole, 8);
    *(volatile char *)(hole + 6 * PAGE);
    show("a hole read through a mapping", hole, 8);
    fallocate(holes, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, PAGE);
    show("punched", hole, 8);
    munmap(hole, 8 * PAGE);
    hole = mmap(NULL, 4 * PAGE, RO, SHARED, holes, 4 * PAGE);
    show("another mapping, with an offset", hole, 4);
    ftruncate(file, PAGE);
    show("a file that was cut", mapped, 4);
    show("a copy of it", copied, 4);
}

static void arguments(void)
{
    char *memory = pages(4, RW, PRIVATE);
    unsigned char there[8];
    memory[0] = 1;
    ASK(mincore(memory + 1, PAGE, there));
    ASK(mincore(memory, 0, there));
    ASK(mincore(memory, 0, NULL));
    ASK(mincore(memory, 1, there));
    ASK(mincore(memory, PAGE + 1, there));
    say("%d %d\n", there[0], there[1]);
    ASK(mincore(memory, PAGE, NULL));
    ASK(mincore(memory, PAGE, NOWHERE));
    ASK(mincore(memory, PAGE, (void *)pages(1, RO, PRIVATE)));
    ASK(mincore(memory, 5 * PAGE, NOWHERE));
    ASK(mincore(memory + 4 * PAGE, PAGE, there));
    ASK(mincore(memory + 4 * PAGE, PAGE, NOWHERE));
    ASK(mincore(memory, -1UL, there));
    ASK(mincore(memory, -PAGE, there));
    ASK(mincore((void *)(1UL << 62), PAGE, there));
    ASK(mincore((void *)(1UL << 62), 0, there));
    ASK(mincore((void *)-PAGE, PAGE, there));
    ASK(mincore(memory + 1, PAGE, NOWHERE));
}

int main(void)
{
    drop_capabilities();
    APART("anonymous", anonymous());
    APART("shared", shared());
    APART("files", files());
    APART("arguments", arguments());
}

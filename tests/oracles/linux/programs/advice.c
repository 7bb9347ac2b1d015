/* Advice (madvise(2)): what it accepts, and what it does to the pages. */
#include "ask.h"

/* For each page its first byte as a letter, without bringing in pages that are not there. */
static void show(const char *name, char *memory, int count)
{
    unsigned char there[64] = "";
    char text[65] = "";
    mincore(memory, count * PAGE, there);
    for (int i = 0; i < count; i++)
        text[i] = !(there[i] & 1) ? '.' : memory[i * PAGE] ? memory[i * PAGE] : '0';
    say("%s: %s\n", name, text);
}

static char *filled(int count, int flags)
{
    char *memory = pages(count, RW, flags);
    for (int i = 0; i < count; i++)
        memory[i * PAGE] = 'a' + i;
    return memory;
}

static void populating(void)
{
    char *memory = pages(8, RW, PRIVATE), *holes = pages(8, RW, PRIVATE);
    char *read_only = pages(4, RO, PRIVATE), *none = pages(4, NONE, PRIVATE);
    char *write_only = pages(4, PROT_WRITE, PRIVATE), *shared = pages(4, RW, SHARED);
    int file = bytes_file(2 * PAGE);
    munmap(holes + 3 * PAGE, PAGE);
    mprotect(holes + 6 * PAGE, PAGE, NONE);
    ASK(madvise(memory, 2 * PAGE, MADV_POPULATE_READ));
    show("read", memory, 8);
    ASK(madvise(memory + 2 * PAGE, 2 * PAGE, MADV_POPULATE_WRITE));
    show("written", memory, 8);
    ASK(madvise(memory, 0, MADV_POPULATE_READ));
    ASK(madvise(memory + 1, PAGE, MADV_POPULATE_READ));
    ASK(madvise(memory + 4 * PAGE, 1, MADV_POPULATE_WRITE));
    show("a byte", memory, 8);
    ASK(madvise(holes, 8 * PAGE, MADV_POPULATE_WRITE));
    show("up to a hole", holes, 3);
    show("beyond the hole", holes + 4 * PAGE, 4);
    ASK(madvise(holes + 3 * PAGE, 2 * PAGE, MADV_POPULATE_READ));
    ASK(madvise(holes + 4 * PAGE, 4 * PAGE, MADV_POPULATE_READ));
    show("up to what is not accessible", holes + 4 * PAGE, 4);
    ASK(madvise(holes + 6 * PAGE, 8 * PAGE, MADV_POPULATE_WRITE));
    ASK(madvise(read_only, 4 * PAGE, MADV_POPULATE_READ));
    ASK(madvise(read_only, 4 * PAGE, MADV_POPULATE_WRITE));
    ASK(madvise(none, 4 * PAGE, MADV_POPULATE_READ));
    ASK(madvise(none, 4 * PAGE, MADV_POPULATE_WRITE));
    ASK(madvise(write_only, 4 * PAGE, MADV_POPULATE_WRITE));
    ASK(madvise(shared, 4 * PAGE, MADV_POPULATE_WRITE));
    show("shared", shared, 4);
    char *mapped = mmap(NULL, 4 * PAGE, RW, SHARED, file, 0);
    char *copied = mmap(NULL, 4 * PAGE, RW, PRIVATE, file, 0);
    ASK(madvise(mapped, 2 * PAGE, MADV_POPULATE_READ));
    ASK(madvise(mapped, 4 * PAGE, MADV_POPULATE_READ));
    ASK(madvise(mapped, 4 * PAGE, MADV_POPULATE_WRITE));
    ASK(madvise(copied, 2 * PAGE, MADV_POPULATE_WRITE));
    ASK(madvise(copied, 3 * PAGE, MADV_POPULATE_WRITE));
    ASK(madvise(copied + 2 * PAGE, PAGE, MADV_POPULATE_READ));
    say("%c\n", copied[0]);
}

static void giving_back(void)
{
    char *memory = filled(8, PRIVATE), *shared = filled(8, SHARED), *holes = filled(8, PRIVATE);
    int file = bytes_file(4 * PAGE);
    char *mapped = mmap(NULL, 4 * PAGE, RW, SHARED, file, 0);
    char *copied = mmap(NULL, 4 * PAGE, RW, PRIVATE, file, 0);
    munmap(holes + 3 * PAGE, PAGE);
    ASK(madvise(memory, 2 * PAGE, MADV_DONTNEED));
    show("private", memory, 8);
    say("%d\n", memory[0]);
    ASK(madvise(shared, 2 * PAGE, MADV_DONTNEED));
    show("shared", shared, 8);
    ASK(madvise(holes, 8 * PAGE, MADV_DONTNEED));
    show("below a hole", holes, 3);
    show("beyond the hole", holes + 4 * PAGE, 4);
    ASK(madvise(holes + 3 * PAGE, PAGE, MADV_DONTNEED));
    ASK(madvise(holes, 0, MADV_DONTNEED));
    ASK(madvise(NULL, 0, MADV_DONTNEED));
    mapped[0] = copied[0] = copied[PAGE] = 'm';
    ASK(madvise(mapped, 4 * PAGE, MADV_DONTNEED));
    ASK(madvise(copied, PAGE, MADV_DONTNEED));
    say("%c %c %c\n", mapped[0], copied[0], copied[PAGE]);
    ASK(madvise(shared, 2 * PAGE, MADV_REMOVE));
    show("removed", shared, 8);
    ASK(madvise(memory, 2 * PAGE, MADV_REMOVE));
    ASK(madvise(copied, 2 * PAGE, MADV_REMOVE));
    ASK(madvise(mapped + PAGE, PAGE, MADV_REMOVE));
    say("%c %d %c\n", mapped[0], mapped[PAGE], mapped[2 * PAGE]);
}

static void reclaiming(void)
{
    static const int advice[] = {MADV_FREE, MADV_COLD, MADV_PAGEOUT};
    static const char *const names[] = {"FREE", "COLD", "PAGEOUT"};
    for (int i = 0; i < 3; i++) {
        char *memory = filled(4, PRIVATE), *shared = filled(4, SHARED), *holes = filled(4, PRIVATE);
        int file = bytes_file(4 * PAGE);
        char *mapped = mmap(NULL, 4 * PAGE, RW, SHARED, file, 0);
        char *copied = mmap(NULL, 4 * PAGE, RW, PRIVATE, file, 0);
        char *none = pages(2, NONE, PRIVATE);
        say("MADV_%s:\n", names[i]);
        munmap(holes + PAGE, PAGE);
        copied[0] = 'c';
        ASK(madvise(memory, 2 * PAGE, advice[i]));
        char first = memory[0];
        say("kept or zero: %d, the others kept: %d\n", first == 'a' || !first,
            memory[2 * PAGE] == 'c');
        if (advice[i] != MADV_FREE)
            say("kept: %d\n", first == 'a');
        memory[PAGE] = 'w';
        say("written after it: %c\n", memory[PAGE]);
        ASK(madvise(shared, 2 * PAGE, advice[i]));
        say("shared: %c\n", shared[0]);
        ASK(madvise(holes, 4 * PAGE, advice[i]));
        ASK(madvise(mapped, 2 * PAGE, advice[i]));
        ASK(madvise(copied, 2 * PAGE, advice[i]));
        say("a copy of a file's page: %c\n", copied[0]);
        ASK(madvise(none, 2 * PAGE, advice[i]));
        ASK(madvise(memory + 1, PAGE, advice[i]));
        ASK(madvise(memory, 0, advice[i]));
        ASK(madvise(memory, -1UL, advice[i]));
        ASK(madvise(memory + 4 * PAGE, PAGE, advice[i]));
        mlock(memory + 3 * PAGE, PAGE);
        ASK(madvise(memory, 4 * PAGE, advice[i]));
        APART("a child", ASK(madvise(memory, 2 * PAGE, advice[i])); memory[0] = 'x');
        say("its parent: %d\n", memory[2 * PAGE] == 'c' || !memory[2 * PAGE]);
    }
}

static void unknown(void)
{
    char *memory = filled(2, PRIVATE);
    ASK(madvise(memory, PAGE, 5));
    ASK(madvise(memory, PAGE, 6));
    ASK(madvise(memory, PAGE, 7));
    ASK(madvise(memory, PAGE, 50));
    ASK(madvise(memory, PAGE, -1));
    ASK(madvise(memory, 0, 50));
    ASK(madvise(memory + 1, PAGE, 50));
    ASK(madvise(memory + 2 * PAGE, PAGE, 50));
    ASK(madvise(memory + 1, 0, MADV_NORMAL));
    ASK(madvise(memory + 2 * PAGE, PAGE, MADV_NORMAL));
    ASK(madvise(memory + 2 * PAGE, PAGE, MADV_WILLNEED));
    ASK(madvise(memory, 3 * PAGE, MADV_WILLNEED));
    ASK(madvise(memory, 3 * PAGE, MADV_DONTFORK));
    APART("a child", memory[0] = 1);
    ASK(madvise(memory, 3 * PAGE, MADV_DOFORK));
    ASK(madvise(memory - PAGE, 2 * PAGE, MADV_WIPEONFORK));
    APART("a child", say("%d %c\n", memory[0], memory[PAGE]));
    ASK(madvise(pages(1, RW, SHARED), PAGE, MADV_WIPEONFORK));
}

int main(void)
{
    drop_capabilities();
    APART("populating", populating());
    APART("giving back", giving_back());
    APART("reclaiming", reclaiming());
    APART("unknown", unknown());
}

/* Locked memory (mlock(2)): what is locked, what counts against RLIMIT_MEMLOCK, and what is brought
   in. */
#include "ask.h"

/* Bytes of all mappings but the kernel's own pages, which are never locked. */
static long mapped_bytes(void)
{
    char text[512];
    long bytes = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    while (fgets(text, sizeof text, file)) {
        unsigned long start, end;
        if (sscanf(text, "%lx-%lx", &start, &end) == 2 && !strstr(text, "[v"))
            bytes += end - start;
    }
    fclose(file);
    return bytes;
}

/* For each page whether it is there. */
static void show_there(const char *name, char *memory, int count)
{
    unsigned char there[64];
    char text[65] = "";
    memset(there, '?' - '0', sizeof there);
    mincore(memory, count * PAGE, there);
    for (int i = 0; i < count; i++)
        text[i] = '0' + (there[i] & 1);
    say("%s: pages %s\n", name, text);
}

static void show(const char *name, char *memory, int count)
{
    say("VmLck %ld\n", status_kb("VmLck:"));
    show_there(name, memory, count);
}

/* Which pages are locked: those that refuse MADV_DONTNEED of nothing that matters. */
static void show_locked(const char *name, char *memory, int count)
{
    char text[65] = "";
    for (int i = 0; i < count; i++)
        text[i] = madvise(memory + i * PAGE, PAGE, MADV_COLD) && errno == EINVAL ? 'L' : '-';
    say("%s: %s\n", name, text);
}

static void ranges(void)
{
    char *memory = pages(8, RW, PRIVATE), *holes = pages(8, RW, PRIVATE);
    munmap(holes + 3 * PAGE, PAGE);
    ASK(mlock(memory + PAGE, 2 * PAGE));
    show("two pages", memory, 8);
    ASK(mlock(memory + PAGE, 2 * PAGE));
    show("the same again", memory, 8);
    ASK(mlock(memory + 5 * PAGE + 100, PAGE));
    show("a page that begins in one", memory, 8);
    ASK(mlock(memory + 100, 1));
    ASK(mlock(memory, 0));
    ASK(mlock(NULL, 0));
    ASK(mlock(NULL, PAGE));
    ASK(mlock((void *)-PAGE, 2 * PAGE));
    ASK(mlock(memory, -1UL));
    ASK(mlock(holes, 8 * PAGE));
    show_locked("over a hole", holes, 3);
    show_locked("beyond the hole", holes + 4 * PAGE, 4);
    show("over a hole", holes, 3);
    ASK(mlock(holes + 3 * PAGE, 2 * PAGE));
    show_locked("from a hole", holes + 4 * PAGE, 4);
    ASK(mlock(holes + 6 * PAGE, 4 * PAGE));
    show_locked("beyond the end", holes + 4 * PAGE, 4);
    ASK(munlock(holes, 8 * PAGE));
    show_locked("unlocked to the hole", holes, 3);
    show_locked("beyond it", holes + 4 * PAGE, 4);
    ASK(munlock(memory + 2 * PAGE, PAGE));
    show_locked("unlocked in the middle", memory, 8);
    ASK(munlock(memory, 0));
    ASK(munlock(NULL, PAGE));
    ASK(syscall(SYS_mlock2, memory, PAGE, 2));
    ASK(syscall(SYS_mlock2, memory + 7 * PAGE, PAGE, 1));
    show("on fault", memory, 8);
    memory[7 * PAGE] = 1;
    show("after the fault", memory, 8);
    ASK(munmap(memory + 7 * PAGE, PAGE));
    say("VmLck %ld after munmap\n", status_kb("VmLck:"));
}

static void kinds(void)
{
    int file = bytes_file(4 * PAGE);
    char *none = pages(2, NONE, PRIVATE), *read_only = pages(2, RO, PRIVATE);
    char *shared = pages(2, RW, SHARED);
    char *mapped = mmap(NULL, 4 * PAGE, RO, SHARED, file, 0);
    char *copied = mmap(NULL, 4 * PAGE, RW, PRIVATE, file, 0);
    char *beyond = mmap(NULL, 6 * PAGE, RO, SHARED, file, 0);
    ASK(mlock(none, 2 * PAGE));
    show("without access", none, 2);
    ASK(mlock(read_only, 2 * PAGE));
    show("read only", read_only, 2);
    ASK(mlock(shared, 2 * PAGE));
    show("shared", shared, 2);
    ASK(mlock(mapped, 4 * PAGE));
    ASK(mlock(copied, 4 * PAGE));
    ASK(mlock(beyond, 6 * PAGE));
    show_locked("beyond a file", beyond, 6);
    ASK(mprotect(read_only, 2 * PAGE, RW));
    ASK(mprotect(none, 2 * PAGE, RW));
    show("accessible now", none, 2);
    ASK(madvise(shared, PAGE, MADV_DONTNEED));
    ASK(madvise(shared, PAGE, MADV_DONTNEED_LOCKED));
    ASK(madvise(read_only, PAGE, MADV_FREE));
    ASK(madvise(read_only, PAGE, MADV_PAGEOUT));
    ASK(msync(mapped, PAGE, MS_SYNC));
    ASK(msync(mapped, PAGE, MS_SYNC | MS_INVALIDATE));
    APART("a child", {
        say("VmLck %ld in a child\n", status_kb("VmLck:"));
        ASK(madvise(read_only, PAGE, MADV_DONTNEED));
    });
}

static void limit(void)
{
    char *memory = pages(40, RW, PRIVATE);
    ASK(set_limit(RLIMIT_MEMLOCK, 8 * PAGE));
    ASK(mlock(memory, 8 * PAGE));
    ASK(mlock(memory, 8 * PAGE));
    ASK(mlock(memory, 9 * PAGE));
    ASK(mlock(memory + 20 * PAGE, PAGE));
    ASK(munlock(memory, PAGE));
    ASK(mlock(memory, 9 * PAGE));
    ASK(mlock(memory + 20 * PAGE, PAGE));
    ASK(mlock(memory + 20 * PAGE, 2 * PAGE));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    ASK(mremap(memory + 20 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    ASK(munlock(memory, 40 * PAGE));
    char *locked = mmap(NULL, 4 * PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    show("locked by mmap", locked, 4);
    char *moved = mremap(locked, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
    show("grown", moved, 6);
    ASK(mremap(moved, 6 * PAGE, 9 * PAGE, MREMAP_MAYMOVE));
    ASK(mremap(moved, 6 * PAGE, 2 * PAGE, 0));
    say("VmLck %ld after it shrank\n", status_kb("VmLck:"));
    ASK(mmap(NULL, 7 * PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    ASK(set_limit(RLIMIT_MEMLOCK, 1000));
    ASK(mlock(memory, 1));
    ASK(set_limit(RLIMIT_MEMLOCK, 0));
    ASK(mlock(memory, 1));
    ASK(mlock(memory, 0));
    ASK(syscall(SYS_mlock2, memory, PAGE, 1));
    ASK(mlockall(MCL_CURRENT));
    ASK(mlockall(MCL_FUTURE));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    ASK(munlock(moved, 2 * PAGE));
    ASK(munlockall());
}

static void all(void)
{
    char *before = pages(4, RW, PRIVATE);
    ASK(mlockall(0));
    ASK(mlockall(MCL_ONFAULT));
    ASK(mlockall(8 | MCL_CURRENT));
    ASK(set_limit(RLIMIT_MEMLOCK, 4 * PAGE));
    ASK(mlockall(MCL_CURRENT));
    ASK(mlockall(MCL_FUTURE));
    show_locked("what was there", before, 4);
    char *future = pages(2, RW, PRIVATE);
    show("what came later", future, 2);
    ASK(mmap(NULL, 3 * PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    VALUE((long)syscall(SYS_brk, syscall(SYS_brk, 0) + 16 * PAGE) == (long)syscall(SYS_brk, 0));
    ASK(mlockall(MCL_FUTURE | MCL_ONFAULT));
    char *late = pages(2, RW, PRIVATE);
    show("what comes on fault", late, 2);
    ASK(munlockall());
    show_locked("unlocked", future, 2);
    char *later = pages(8, RW, PRIVATE);
    show("not locked", later, 2);
    ASK(set_limit(RLIMIT_MEMLOCK, 8 << 20));
    ASK(mlockall(MCL_CURRENT | MCL_FUTURE));
    show_locked("all", before, 4);
    say("all that is mapped: %d\n", status_kb("VmLck:") * 1024 == mapped_bytes());
    show_there("all", before, 4);
    char *heap = sbrk(2 * PAGE);
    show_there("a heap that grew", (char *)(((unsigned long)heap + PAGE - 1) & -PAGE), 1);
    say("all that is mapped: %d\n", status_kb("VmLck:") * 1024 == mapped_bytes());
    APART("a child", {
        say("VmLck %ld in a child\n", status_kb("VmLck:"));
        char *own = pages(2, RW, PRIVATE);
        show("its own", own, 2);
    });
    ASK(munlockall());
    say("VmLck %ld\n", status_kb("VmLck:"));
    ASK(mlockall(MCL_CURRENT | MCL_ONFAULT));
    char *fresh = pages(2, RW, PRIVATE);
    show_there("what is not there yet", fresh, 2);
}

int main(void)
{
    drop_capabilities();
    APART("ranges", ranges());
    APART("kinds", kinds());
    APART("limit", limit());
    APART("all", all());
}

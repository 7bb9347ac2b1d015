/* Moving mappings and locking them: mremap(2), mlock(2). */
#include "calls.h"

enum { RO = PROT_READ, RW = PROT_READ | PROT_WRITE, PRIVATE = MAP_PRIVATE, SHARED = MAP_SHARED };

/* The C library's mremap passes the fifth argument only with some flags. */
#define mremap(old, size, new_size, flags, to...) \
    ((char *)syscall(SYS_mremap, old, size, new_size, flags, to + 0L))

static void moving(void)
{
    char *memory = pages(4, RW, PRIVATE), *shared = pages(4, RW, SHARED), *ro = pages(4, RO, PRIVATE);
    char *room = pages(8, RW, PRIVATE), *few = pages(4, RW, PRIVATE);
    enum { MAY = MREMAP_MAYMOVE, FIXED = MREMAP_FIXED | MAY, DONT = MREMAP_DONTUNMAP | MAY };
    memset(memory, 7, 4 * PAGE);
    ASK(mremap(memory, PAGE, PAGE, 8));
    ASK(mremap(memory, PAGE, PAGE, MREMAP_FIXED, room));
    ASK(mremap(memory, PAGE, PAGE, MREMAP_DONTUNMAP));
    ASK(mremap(memory, PAGE, 0, MAY));
    ASK(mremap(memory + 1, PAGE, PAGE, MAY));
    ASK(mremap(memory, PAGE, PAGE, 0));
    ASK(mremap(memory, 4 * PAGE, 5 * PAGE, 0));
    ASK(mremap(memory, PAGE, 2 * PAGE, 0));
    ASK(mremap(memory, 0, PAGE, MAY));
    ASK(mremap(memory, 0, PAGE, 0));
    ASK(mremap(few, 5 * PAGE, 6 * PAGE, MAY));
    ASK(mremap(few, 5 * PAGE, PAGE, FIXED, few + 2 * PAGE));
    ASK(mremap(few, 5 * PAGE, PAGE, FIXED, room + 1));
    ASK(mremap(few, 5 * PAGE, PAGE, FIXED, BEYOND));
    ASK(mremap(few + 4 * PAGE, PAGE, PAGE, MAY));
    ASK(mremap(few + 4 * PAGE, PAGE, 2 * PAGE, MAY));
    ASK(mremap(few + 4 * PAGE, 2 * PAGE, PAGE, MAY));
    ASK(mremap(memory, PAGE, -PAGE, MAY));
    ASK(mremap(memory, PAGE, 1UL << 60, MAY));
    ASK(mremap(memory, -PAGE, PAGE, MAY));
    ASK(mremap(BEYOND, PAGE, PAGE, MAY));
    ASK(mremap(memory, PAGE, PAGE, FIXED, memory));
    ASK(mremap(memory, 2 * PAGE, 2 * PAGE, FIXED, memory + PAGE));
    ASK(mremap(memory, PAGE, PAGE, FIXED, room + 1));
    ASK(mremap(memory, PAGE, PAGE, FIXED, BEYOND));
    ASK(mremap(memory, PAGE, -PAGE, FIXED, room));
    ASK(mremap(memory, PAGE, PAGE, FIXED, NULL));
    ASK(mremap(shared, 0, PAGE, FIXED, NULL));
    ASK(mremap(memory, PAGE, 2 * PAGE, DONT));
    ASK(mremap(memory, 2 * PAGE, PAGE, DONT));
    ASK(mremap(memory, 0, 0, DONT));
    ASK(mremap(memory, PAGE, PAGE, DONT | MREMAP_FIXED, memory));
    ASK(mremap(memory, PAGE, PAGE, DONT | MREMAP_FIXED, BEYOND));
    ASK(mremap(memory, PAGE, PAGE, DONT, memory));
    ASK(mremap(memory, PAGE, PAGE, DONT, BEYOND));
    ASK(mremap(memory, PAGE, PAGE, DONT, room + 1));
    VALUE(mremap(memory + 3 * PAGE, PAGE, PAGE, DONT, room + 9 * PAGE) == room + 9 * PAGE);
    VALUE(mremap(memory + 3 * PAGE, PAGE, PAGE, DONT, room) == room);
    char *moved = mremap(memory, 2 * PAGE, 2 * PAGE, DONT);
    VALUE(moved == MAP_FAILED ? -1 : memory[0] + moved[0]);
    VALUE(moved == MAP_FAILED ? -1 : memory[2 * PAGE]);
    ASK(mremap(memory + 2 * PAGE, PAGE, PAGE, DONT | MREMAP_FIXED, room));
    VALUE(room[0] + memory[2 * PAGE]);
    memory[2 * PAGE] = 5;
    VALUE(room[0] + memory[2 * PAGE]);
    memset(shared, 7, 4 * PAGE);
    moved = mremap(shared, 2 * PAGE, 2 * PAGE, DONT);
    VALUE(moved == MAP_FAILED ? -1 : shared[0] + moved[0]);
    moved = mremap(ro, PAGE, PAGE, DONT);
    VALUE(moved == MAP_FAILED ? -1 : ro[0] + moved[0]);
    int file = bytes_file(4 * PAGE);
    char *of_file = mmap(NULL, 2 * PAGE, RW, PRIVATE, file, 0);
    of_file[0] = 7;
    moved = mremap(of_file, PAGE, PAGE, DONT);
    VALUE(moved == MAP_FAILED ? -1 : of_file[0] + moved[0]);
    ASK(mremap(shared, 0, PAGE, MAY));
    ASK(mremap(shared, 0, PAGE, 0));
    ASK(mremap(shared, 0, PAGE, DONT));
    ASK(mremap(mmap(NULL, PAGE, RO, PRIVATE, file, 0), 0, PAGE, MAY));
    char *two = pages(4, RW, PRIVATE);
    mprotect(two, PAGE, RO);
    ASK(mremap(two, 4 * PAGE, 4 * PAGE, 0));
    ASK(mremap(two, 4 * PAGE, 2 * PAGE, 0));
    ASK(mremap(two, 2 * PAGE, 3 * PAGE, MAY));
}

static void locking(void)
{
    struct rlimit few = {8 * PAGE, 8 * PAGE}, none = {0, 8 * PAGE};
    char *memory = pages(4, RW, PRIVATE), *many = pages(16, RW, PRIVATE);
    char *nothing = pages(2, PROT_NONE, PRIVATE);
    munlockall();
    ASK(setrlimit(RLIMIT_MEMLOCK, &few));
    ASK(mlock(memory, 0));
    ASK(mlock(memory + 1, 1));
    ASK(mlock(memory, 5 * PAGE));
    ASK(mlock(memory, -1UL));
    ASK(mlock(memory, -PAGE));
    ASK(mlock(BEYOND, PAGE));
    ASK(mlock(BEYOND, 0));
    ASK(mlock(nothing, PAGE));
    ASK(munlock(nothing, PAGE));
    ASK(mlock2(memory, PAGE, 0));
    ASK(mlock2(memory, PAGE, MLOCK_ONFAULT));
    ASK(mlock2(memory, PAGE, 2));
    ASK(mlock2(memory, 5 * PAGE, MLOCK_ONFAULT));
    ASK(mlock2(BEYOND, PAGE, MLOCK_ONFAULT));
    ASK(mlock(many, 16 * PAGE));
    ASK(mlock(many, 8 * PAGE));
    ASK(munlockall());
    ASK(mlock(many, 8 * PAGE));
    ASK(mlock(many, 8 * PAGE));
    ASK(mlock(memory, PAGE));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    ASK(msync(many, PAGE, MS_INVALIDATE));
    ASK(munlock(many, PAGE));
    ASK(mlock(memory, PAGE));
    ASK(madvise(memory, PAGE, MADV_DONTNEED));
    ASK(mremap(memory, PAGE, 4 * PAGE, MREMAP_MAYMOVE));
    APART(mlock(pages(8, RW, PRIVATE), 8 * PAGE));
    ASK(munlock(memory, 5 * PAGE));
    ASK(munlock(memory, -1UL));
    ASK(munlock(BEYOND, PAGE));
    ASK(munlock(many, 16 * PAGE));
    ASK(mlockall(0));
    ASK(mlockall(8));
    ASK(mlockall(MCL_ONFAULT));
    ASK(mlockall(MCL_CURRENT));
    ASK(munlockall());
    ASK(setrlimit(RLIMIT_MEMLOCK, &none));
    ASK(mlock(memory, PAGE));
    ASK(mlockall(MCL_CURRENT));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    ASK(setrlimit(RLIMIT_MEMLOCK, &few));
    ASK(mlockall(MCL_FUTURE));
    ASK(mmap(NULL, 9 * PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    char *future = mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASK(madvise(future, PAGE, MADV_DONTNEED));
    ASK(munlockall());
    ASK(madvise(future, PAGE, MADV_DONTNEED));
}

int main(void)
{
    moving();
    locking();
}

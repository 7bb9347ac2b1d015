/* Mappings, their protection, and advice: mmap(2), mprotect(2), madvise(2), msync(2)... */
#include "calls.h"

enum { RO = PROT_READ, RW = PROT_READ | PROT_WRITE, PRIVATE = MAP_PRIVATE, SHARED = MAP_SHARED };

static const int ADVICE[] = {
    0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    99, 100, 101, 102, 103, 104, -1,
};

static void advise(const char *what, char *memory, size_t length)
{
    for (size_t i = 0; i < sizeof ADVICE / sizeof *ADVICE; i++) {
        long result = syscall(SYS_madvise, memory, length, ADVICE[i]);
        printf("madvise %s, %d: %s\n", what, ADVICE[i], result ? strerrorname_np(errno) : "ok");
    }
}

static void advice(void)
{
    advise("private", pages(2, RW, PRIVATE), 2 * PAGE);
    advise("shared", pages(2, RW, SHARED), 2 * PAGE);
    advise("read-only", pages(2, RO, PRIVATE), 2 * PAGE);
    advise("read-only shared", pages(2, RO, SHARED), 2 * PAGE);
    advise("inaccessible", pages(2, PROT_NONE, PRIVATE), 2 * PAGE);
    advise("write-only", pages(2, PROT_WRITE, PRIVATE), 2 * PAGE);
    advise("execute-only", pages(2, PROT_EXEC, PRIVATE), 2 * PAGE);
    advise("partly mapped", pages(2, RW, PRIVATE), 3 * PAGE);
    advise("nothing before it", pages(2, RW, PRIVATE) - PAGE, 2 * PAGE);
    advise("unmapped", pages(2, RW, PRIVATE) + 2 * PAGE, PAGE);
    advise("no bytes", pages(2, RW, PRIVATE), 0);
    advise("no bytes of nothing", NULL, 0);
    advise("unaligned", pages(2, RW, PRIVATE) + 1, PAGE);
    advise("a part of a page", pages(2, RW, PRIVATE), 1);
    advise("a length that wraps", pages(2, RW, PRIVATE), -1UL);
    advise("beyond", BEYOND, PAGE);
    char *locked = pages(2, RW, PRIVATE);
    mlock(locked, 2 * PAGE);
    advise("locked", locked, 2 * PAGE);
    int file = bytes_file(4 * PAGE);
    advise("file, shared", mmap(NULL, 2 * PAGE, RW, SHARED, file, 0), 2 * PAGE);
    advise("file, private", mmap(NULL, 2 * PAGE, RW, PRIVATE, file, 0), 2 * PAGE);
    advise("beyond the file", mmap(NULL, 6 * PAGE, RW, SHARED, file, 0), 6 * PAGE);
    advise("file, read-only", mmap(NULL, 2 * PAGE, RO, SHARED, file, 0), 2 * PAGE);
    char name[64];
    sprintf(name, "/proc/self/fd/%d", file);
    int reading = open(name, O_RDONLY);
    advise("file opened for reading", mmap(NULL, 2 * PAGE, RO, SHARED, reading, 0), 2 * PAGE);
    advise("private of that", mmap(NULL, 2 * PAGE, RW, PRIVATE, reading, 0), 2 * PAGE);
}

static void what_advice_does(void)
{
    char *memory = pages(2, RW, PRIVATE), *shared = pages(2, RW, SHARED);
    memset(memory, 7, 2 * PAGE);
    memset(shared, 7, 2 * PAGE);
    VALUE(madvise(memory, PAGE, MADV_DONTNEED) + memory[0] + memory[PAGE]);
    VALUE(madvise(shared, PAGE, MADV_DONTNEED) + shared[0] + shared[PAGE]);
    VALUE(madvise(shared, PAGE, MADV_REMOVE) + shared[0] + shared[PAGE]);
    int file = bytes_file(2 * PAGE);
    char *mapped = mmap(NULL, 2 * PAGE, RW, SHARED, file, 0), byte = 1;
    memset(mapped, 7, 2 * PAGE);
    VALUE(madvise(mapped + PAGE, PAGE, MADV_REMOVE) + mapped[0] + mapped[PAGE]);
    VALUE(pread(file, &byte, 1, PAGE) + byte);
    VALUE(lseek(file, 0, SEEK_END));
}

static void mapping(void)
{
    int file = bytes_file(4 * PAGE), pipe_[2];
    char *memory = pages(2, RW, PRIVATE), *room = pages(1, RW, PRIVATE), name[64];
    sprintf(name, "/proc/self/fd/%d", file);
    int reading = open(name, O_RDONLY), writing = open(name, O_WRONLY), path = open(name, O_PATH);
    int folder = open("/dev/shm", O_RDONLY);
    if (pipe(pipe_))
        abort();
    ASK(mmap(NULL, 0, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 1));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, PAGE));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS, 99, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS | 0x10000000, -1, 0));
    ASK(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE, file, 0));
    ASK(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | 0x10000000, file, 0));
    ASK(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0));
    for (unsigned bit = 8; bit < 32; bit++) {
        if (1u << bit & (MAP_HUGETLB | MAP_FIXED_NOREPLACE))
            continue;
        void *shown = mmap(NULL, PAGE, RO, MAP_SHARED_VALIDATE | 1u << bit, file, 0);
        printf("mmap validated, bit %u: %s\n", bit,
               shown == MAP_FAILED ? strerrorname_np(errno) : "ok");
    }
    ASK(mmap(NULL, PAGE, RW, SHARED | MAP_ANONYMOUS, -1, -PAGE));
    ASK(mmap(NULL, PAGE, RW, 0, 99, 0));
    ASK(mmap(NULL, 0, RW, PRIVATE, 99, 0));
    ASK(mmap(NULL, PAGE, RW, SHARED | MAP_SYNC, file, 0));
    ASK(mmap(room, PAGE, RW, MAP_SHARED_VALIDATE | MAP_FIXED, file, 0));
    ASK(mmap(room + PAGE, PAGE, RW, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, file, 0));
    ASK(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_NORESERVE | MAP_POPULATE, file, 0));
    ASK(mmap(NULL, PAGE, RW, 3 | 4, file, 0));
    ASK(mmap(NULL, PAGE, 0x70, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE, -1, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE, path, 0));
    ASK(mmap(NULL, PAGE, RO, SHARED, path, 0));
    ASK(mmap(NULL, PAGE, RW, SHARED, reading, 0));
    ASK(mmap(NULL, PAGE, RO, SHARED, reading, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE, reading, 0));
    ASK(mmap(NULL, PAGE, RW, SHARED, writing, 0));
    ASK(mmap(NULL, PAGE, RO, PRIVATE, writing, 0));
    ASK(mmap(NULL, PAGE, PROT_NONE, PRIVATE, writing, 0));
    ASK(mmap(NULL, PAGE, RO, PRIVATE, folder, 0));
    ASK(mmap(NULL, PAGE, RO, PRIVATE, pipe_[0], 0));
    ASK(mmap(NULL, PAGE, RO, PRIVATE, file, 1));
    ASK(mmap(NULL, PAGE, RO, PRIVATE, file, 1UL << 40));
    ASK(mmap(NULL, PAGE, RO, PRIVATE, file, -PAGE));
    ASK(mmap(NULL, 2 * PAGE, RO, PRIVATE, file, (1UL << 63) - PAGE));
    ASK(mmap(NULL, -1UL, RO, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, -PAGE, RO, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(memory + 1, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    ASK(mmap(memory + 1, PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(memory, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    ASK(mmap(memory, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_FIXED, -1, 0));
    ASK(mmap(memory + PAGE * 2, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    ASK(mmap(BEYOND, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    ASK(mmap(BEYOND, PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, PAGE, RW, SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_GROWSDOWN, file, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_STACK, file, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_NONBLOCK, -1, 0));
    ASK(mmap(NULL, PAGE, PROT_NONE, PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
    ASK(munmap(memory, 0));
    ASK(munmap(memory + 1, PAGE));
    ASK(munmap(BEYOND, PAGE));
    ASK(munmap(memory, -PAGE));
    ASK(munmap(memory, 1));
    ASK(munmap(memory, PAGE));
    ASK(mprotect(memory + PAGE, PAGE, 0x8));
    ASK(mprotect(memory + PAGE, PAGE, 0x10));
    ASK(mprotect(memory + PAGE, 0, 0x10));
    ASK(mprotect(memory + PAGE, PAGE, RW | PROT_GROWSDOWN));
    ASK(mprotect(memory + PAGE, PAGE, RW | PROT_GROWSUP));
    ASK(mprotect(memory + PAGE, PAGE, RW | PROT_GROWSDOWN | PROT_GROWSUP));
    ASK(mprotect(memory + PAGE, 0, RW));
    ASK(mprotect(NULL, 0, RW));
    ASK(mprotect(memory + PAGE + 1, PAGE, RW));
    ASK(mprotect(memory + PAGE, 3 * PAGE, RW));
    ASK(mprotect(memory, 2 * PAGE, RW));
    ASK(mprotect(memory, -PAGE, RW));
    ASK(mprotect(BEYOND, PAGE, RW));
    ASK(mprotect(mmap(NULL, PAGE, RO, SHARED, reading, 0), PAGE, RW));
    ASK(mprotect(mmap(NULL, PAGE, RO, PRIVATE, reading, 0), PAGE, RW));
    char *grows = mmap(NULL, 8 * PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
    ASK(mprotect(grows + 4 * PAGE, PAGE, RO | PROT_GROWSDOWN));
    APART(*(volatile char *)(grows) = 1);
    APART(*(volatile char *)(grows + 5 * PAGE) = 1);
}

static void looking(void)
{
    char *memory = pages(4, RW, PRIVATE);
    unsigned char there[16];
    ASK(msync(memory, PAGE, 0));
    ASK(msync(memory, PAGE, MS_SYNC | MS_INVALIDATE));
    ASK(msync(memory, PAGE, MS_ASYNC | MS_SYNC));
    ASK(msync(memory, PAGE, 8));
    ASK(msync(memory + 1, PAGE, MS_SYNC));
    ASK(msync(memory, 5 * PAGE, MS_SYNC));
    ASK(msync(memory, 0, MS_SYNC));
    ASK(msync(NULL, 0, MS_SYNC));
    ASK(msync(memory, -1UL, MS_SYNC));
    ASK(msync(memory, -PAGE, MS_SYNC));
    ASK(msync(BEYOND, PAGE, MS_SYNC));
    ASK(mincore(memory, 4 * PAGE, there));
    ASK(mincore(memory + 1, PAGE, there));
    ASK(mincore(memory, 5 * PAGE, there));
    ASK(mincore(memory, 0, there));
    ASK(mincore(memory, PAGE, NOWHERE));
    ASK(mincore(memory, -1UL, there));
    ASK(mincore(BEYOND, PAGE, there));
    ASK(mincore(BEYOND, 0, there));
    ASK(syscall(SYS_membarrier, 0, 1, 0));
    ASK(syscall(SYS_membarrier, 1 << 30, 0, 0));
    ASK(syscall(SYS_membarrier, 3, 0, 0));
    ASK(syscall(SYS_membarrier, 8, 0, 0));
    ASK(syscall(SYS_membarrier, 16, 0, 0));
    ASK(syscall(SYS_membarrier, 8, 0, 0));
    char *end = sbrk(0);
    VALUE(syscall(SYS_brk, 0) == (long)end);
    VALUE(syscall(SYS_brk, end + PAGE) == (long)(end + PAGE));
    VALUE(syscall(SYS_brk, BEYOND) == (long)(end + PAGE));
    VALUE(syscall(SYS_brk, 1) == (long)(end + PAGE));
    VALUE(syscall(SYS_brk, end) == (long)end);
}

int main(void)
{
    advice();
    what_advice_does();
    mapping();
    looking();
}

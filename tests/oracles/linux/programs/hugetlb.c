/* MAP_HUGETLB: a pool of huge pages that are reserved by mmap, never split, and copied whole. */
/* kernel: hugepages=8 */
#include "oracle.h"
#include <setjmp.h>
#include <signal.h>

#define HUGE (2UL << 20)
#define COUNT ((int)(HUGE / PAGE))
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB)

static sigjmp_buf refused;

static void on_bus_error(int signo, siginfo_t *info, void *context)
{
    siglongjmp(refused, info->si_code == BUS_ADRERR ? 1 : 2);
}

/* A field of /proc/meminfo. */
static long machine(const char *name)
{
    char *at;
    slurp("/proc/meminfo");
    at = strstr(text, name);
    return at ? strtol(at + strlen(name) + 1, NULL, 10) : -1;
}

static void pool(const char *step)
{
    long total = machine("HugePages_Total"), reserved = machine("HugePages_Rsvd");
    say("%s: pool %ld free %ld reserved %ld surplus %ld", step, total,
        machine("HugePages_Free"), reserved, machine("HugePages_Surp"));
}

static char *mapped(unsigned long size, int flags)
{
    char *at = mmap(NULL, size, RW, flags, -1, 0);
    if (at == MAP_FAILED)
        fail("mmap");
    regions[region_count] = at;
    region_sizes[region_count++] = (size + HUGE - 1) & -HUGE;
    return at;
}

static void result(const char *name, long value)
{
    say("%s: %s", name, value == -1 ? strerror(errno) : "done");
}

/* Stores to a byte; says so when that is a bus error. */
static void try_store(const char *step, char *at)
{
    int why = sigsetjmp(refused, 1);
    if (!why)
        *(volatile char *)at = 1;
    say("%s: %s", step, !why ? "stored" : why == 1 ? "SIGBUS, BUS_ADRERR" : "SIGBUS");
}

static long status_of(const char *name)
{
    char *at;
    slurp("/proc/self/status");
    at = strstr(text, name);
    return at ? strtol(at + strlen(name) + 1, NULL, 10) : -1;
}

static void whole(void)
{
    pool("at first");
    char *at = mapped(3 * HUGE, PRIVATE);
    say("aligned: %lu", (unsigned long)at % HUGE);
    pool("mapped");
    STEP("untouched", at, );
    say("page size %ld kB, MMU %ld kB, THPeligible %ld", field(smaps(at), "KernelPageSize"),
        field(smaps(at), "MMUPageSize"), field(smaps(at), "THPeligible"));
    STEP("load", at, load_pages(at + 5 * PAGE, 1, 1));
    pool("after it");
    STEP("store to it", at, store_pages(at, 20, 1));
    STEP("store to the next", at, store_pages(at + HUGE, COUNT, 1));
    say("VmRSS counts them: %d, HugetlbPages %ld", status_of("VmRSS") > 4096,
        status_of("HugetlbPages"));
    STEP("read-only", at, mprotect(at, 3 * HUGE, PROT_READ));
    STEP("writable", at, mprotect(at, 3 * HUGE, RW));
    STEP("store again", at, store_pages(at, 2, COUNT));
    STEP("DONTNEED of one", at, result("DONTNEED", madvise(at, HUGE, MADV_DONTNEED)));
    pool("after DONTNEED");
    STEP("store after it", at, store_pages(at, 1, 1));
    result("munmap of the last", munmap(at + 2 * HUGE, HUGE));
    pool("after munmap of an untouched one");
    STEP("clear_refs", at, {
        int fd = open("/proc/self/clear_refs", O_WRONLY);
        write(fd, "1", 1);
        close(fd);
    });
    STEP("store to each", at, store_pages(at, 2, COUNT));
    munmap(at, 2 * HUGE);
    pool("unmapped");
}

static void parts(void)
{
    char *at = mapped(4 * HUGE, PRIVATE);
    store_pages(at, 4, COUNT);
    result("munmap of a page", munmap(at, PAGE));
    result("munmap from a page on", munmap(at + PAGE, 4 * HUGE - PAGE));
    result("mprotect of a page", mprotect(at, PAGE, PROT_READ));
    result("mprotect at a page", mprotect(at + PAGE, PAGE, PROT_READ));
    result("DONTNEED of a page", madvise(at, PAGE, MADV_DONTNEED));
    result("DONTNEED at a page", madvise(at + PAGE, HUGE, MADV_DONTNEED));
    result("DONTNEED of a huge page and a half", madvise(at, HUGE + HUGE / 2, MADV_DONTNEED));
    show("after these", at);
    result("FREE", madvise(at, HUGE, MADV_FREE));
    result("HUGEPAGE", madvise(at, HUGE, MADV_HUGEPAGE));
    result("COLLAPSE", madvise(at, HUGE, 25));
    result("COLD", madvise(at, HUGE, MADV_COLD));
    result("PAGEOUT", madvise(at, HUGE, MADV_PAGEOUT));
    result("WIPEONFORK", madvise(at, HUGE, MADV_WIPEONFORK));
    result("REMOVE", madvise(at, HUGE, MADV_REMOVE));
    result("DONTFORK of a page", madvise(at, PAGE, MADV_DONTFORK));
    result("DONTFORK", madvise(at, HUGE, MADV_DONTFORK));
    result("DOFORK", madvise(at, HUGE, MADV_DOFORK));
    result("mlock of a page", mlock(at + PAGE, PAGE));
    result("mlock", mlock(at, HUGE));
    result("munlock", munlock(at, HUGE));
    result("mremap, larger", (long)mremap(at, 4 * HUGE, 5 * HUGE, MREMAP_MAYMOVE));
    result("mremap at a page", (long)mremap(at + PAGE, HUGE, HUGE / 2, MREMAP_MAYMOVE));
    result("mremap, smaller", (long)mremap(at, 4 * HUGE, 3 * HUGE + PAGE, 0));
    pool("after it");
    char *room = mmap(NULL, 4 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    room = (char *)(((unsigned long)room + HUGE - 1) & -HUGE);
    char *moved = mremap(at + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    result("moved", (long)moved);
    result("moved to a page", (long)mremap(moved, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                                           room + HUGE + PAGE));
    say("its byte: %d", moved == MAP_FAILED ? -1 : *moved);
    munmap(at, 4 * HUGE);
    munmap(moved, HUGE);
    pool("unmapped");
    at = mmap(NULL, HUGE + PAGE, RW, PRIVATE, -1, 0);
    result("mapping of 2 MiB and a page", (long)at);
    pool("rounded up");
    result("munmap by the length given", munmap(at, HUGE + PAGE));
    result("munmap by the true length", munmap(at, 2 * HUGE));
    result("at an address that is not aligned",
           (long)mmap((void *)0x10001000, HUGE, RW, PRIVATE | MAP_FIXED, -1, 0));
    result("of 1 GiB", (long)mmap(NULL, 1 << 30, RW, PRIVATE | 30 << 26, -1, 0));
    result("of a size that does not exist", (long)mmap(NULL, HUGE, RW, PRIVATE | 13 << 26, -1, 0));
    result("of 2 MiB by number", (long)(at = mmap(NULL, HUGE, RW, PRIVATE | 21 << 26, -1, 0)));
    munmap(at, HUGE);
    pool("at the end");
}

static void generations(void)
{
    char *at = mapped(2 * HUGE, PRIVATE);
    store_pages(at, 1, 1);
    CHILD("child", {
        show("as inherited", at);
        pool("in the child");
        STEP("load", at, load_pages(at, COUNT, 1));
        STEP("store", at, store_pages(at + 3 * PAGE, 1, 1));
        say("other page: %d", at[0]);
        STEP("store to more of it", at, store_pages(at, COUNT, 1));
        STEP("store to the second, which the parent has reserved", at,
             try_store("second", at + HUGE));
        pool("after the copies");
    });
    pool("after the child");
    show("the parent's", at);
    STEP("reuse", at, store_pages(at, COUNT, 1));
    munmap(at, 2 * HUGE);
}

static void exhausted(void)
{
    char *at = mapped(6 * HUGE, PRIVATE);
    pool("6 of 8 are reserved");
    result("3 more", (long)mmap(NULL, 3 * HUGE, RW, PRIVATE, -1, 0));
    char *more = mapped(3 * HUGE, PRIVATE | MAP_NORESERVE);
    pool("3 without a reservation");
    try_store("first of these", more);
    try_store("second", more + HUGE);
    try_store("third", more + 2 * HUGE);
    pool("after them");
    store_pages(at, 6, COUNT);
    pool("all are used");
    int go[2];
    char token = 'x';
    if (pipe(go))
        fail("pipe");
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        who = "child";
        settle();
        try_store("a copy in the child", at);
        say("the old byte: %d", at[0]);
        read(go[0], &token, 1);
        try_store("after the parent's stores", at + HUGE);
        _exit(0);
    }
    usleep(100000);
    settle();
    try_store("the parent stores", at + HUGE);
    write(go[1], &token, 1);
    await(pid);
    munmap(more, 3 * HUGE);
    munmap(at, 6 * HUGE);
    pool("unmapped");
}

static void shared(void)
{
    char *at = mapped(2 * HUGE, SHARED);
    pool("shared");
    STEP("load", at, load_pages(at, 1, 1));
    STEP("store", at, store_pages(at, 3, 1));
    CHILD("child", {
        STEP("inherited", at, );
        say("byte %d", at[2 * PAGE]);
        STEP("store", at, store_pages(at + HUGE, 5, 1));
        pool("in the child");
    });
    say("the child's byte: %d", at[HUGE + 4 * PAGE]);
    STEP("after the child", at, );
    STEP("store to all", at, store_pages(at, 2 * COUNT, 1));
    result("DONTNEED", madvise(at, 2 * HUGE, MADV_DONTNEED));
    say("still there: %d", at[0]);
    result("REMOVE", madvise(at, HUGE, MADV_REMOVE));
    say("after REMOVE: %d", at[0]);
    pool("after REMOVE");
    munmap(at, 2 * HUGE);
    pool("unmapped");
}

static void by_the_kernel(void)
{
    char *at = mapped(HUGE, PRIVATE);
    int ends[2];
    unsigned char there[4];
    if (pipe(ends))
        fail("pipe");
    write(ends[1], "abcdefgh", 8);
    STEP("read(2) into it", at, read(ends[0], at + 3 * PAGE, 4));
    CHILD("child", {
        STEP("read(2) into a shared one", at, read(ends[0], at + 3 * PAGE, 4));
        say("%.4s", at + 3 * PAGE);
    });
    say("%.4s", at + 3 * PAGE);
    result("mincore", mincore(at, 4 * PAGE, there));
    say("%d%d%d%d", there[0], there[1], there[2], there[3]);
    munmap(at, HUGE);
    at = mapped(2 * HUGE, PRIVATE | MAP_POPULATE);
    STEP("populated", at, );
    munmap(at, 2 * HUGE);
    pool("at the end");
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    settle();
    whole();
    parts();
    generations();
    exhausted();
    shared();
    by_the_kernel();
}

/* What /proc says of single pages and of sums: pagemap, clear_refs, the Rss and Vm lines of status,
   statm, the faults of stat. */
#include "oracle.h"

static const unsigned long PRESENT = 1UL << 63, SWAPPED = 1UL << 62, IN_FILE = 1UL << 61,
                           EXCLUSIVE = 1UL << 56;

static void say_pages(const char *what, const char *at, int pages)
{
    unsigned long entries[64];
    int fd = open("/proc/self/pagemap", O_RDONLY);
    long got = pread(fd, entries, 8 * pages, (unsigned long)at / PAGE * 8);
    char bits[5 * 64 + 1];
    int length = 0;
    if (got != 8 * pages)
        fail("pagemap");
    for (int n = 0; n < pages; n++)
        length += sprintf(bits + length, " %s%s%s%s", entries[n] & PRESENT ? "p" : "-",
                          entries[n] & SWAPPED ? "s" : "", entries[n] & IN_FILE ? "f" : "",
                          entries[n] & EXCLUSIVE ? "x" : "");
    close(fd);
    say("%s:%s", what, bits);
}

static void pagemap(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    static char bytes[6 * PAGE];
    memset(bytes, 1, sizeof bytes);
    settle();
    write(fd, bytes, sizeof bytes);
    char *at = anonymous(6), *shared = region_of(6, PROT_READ | PROT_WRITE,
                                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *file = region_of(6, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    load_pages(at, 2, 1);
    store_pages(at + 2 * PAGE, 2, 1);
    store_pages(shared, 6, 1);
    load_pages(file, 6, 1);
    store_pages(file, 1, 1);
    say_pages("anonymous", at, 6);
    say_pages("shared", shared, 6);
    say_pages("file", file, 6);
    CHILD("child", {
        load_pages(shared, 6, 1);
        load_pages(file, 6, 1);
        say_pages("anonymous", at, 6);
        say_pages("shared", shared, 6);
        say_pages("file", file, 6);
        store_pages(at + 2 * PAGE, 1, 1);
        store_pages(file, 1, 1);
        say_pages("anonymous after a copy", at, 6);
        say_pages("file after a copy", file, 6);
    });
    say_pages("anonymous", at, 6);
    mprotect(at, 6 * PAGE, PROT_NONE);
    say_pages("no access", at, 6);
    unsigned long entry;
    fd = open("/proc/self/pagemap", O_RDONLY);
    say("at an odd offset: %ld", pread(fd, &entry, 8, 4) < 0 ? -(long)errno : 0);
    say("half an entry: %ld", pread(fd, &entry, 4, 8) < 0 ? -(long)errno : 0);
    say("by lseek: %d", lseek(fd, (unsigned long)shared / PAGE * 8, SEEK_SET) > 0);
    long got = read(fd, &entry, 8);
    say("read: %ld, present %d", got, !!(entry & PRESENT));
    close(fd);
}

/* The processor sets a PTE's accessed bit only when it fills its TLB, which clear_refs does not
   flush: so the pages move, and come back. */
static void clear(const char *what, char *at, int pages)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    char *aside = anonymous(pages);
    if (write(fd, what, 1) != 1)
        fail("clear_refs");
    close(fd);
    mremap(at, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, aside);
    mremap(aside, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at);
}

static void references(void)
{
    int fd = open("file", O_RDWR);
    char *at = anonymous(8), *file = region_of(4, PROT_READ | PROT_WRITE, MAP_SHARED,
                                                  fd, 0);
    store_pages(at, 8, 1);
    settle();
    clear("1", at, 8);
    STEP("cleared 1", at, );
    STEP("load 3", at, load_pages(at, 3, 1));
    clear("2", at, 8);
    STEP("cleared 2", at, );
    STEP("store 2", at, store_pages(at, 2, 1));
    clear("3", at, 8);
    STEP("cleared 3", at, );
    clear("1", at, 8);
    STEP("cleared 1 again", at, );
    mprotect(at, 8 * PAGE, PROT_READ);
    STEP("read-only after that", at, );
    mprotect(at, 8 * PAGE, PROT_READ | PROT_WRITE);
    STEP("writable again", at, );
    clear("1", file, 4);
    load_pages(file, 4, 1);
    show("file", file);
}

/* The number in kB of a line of status. */
static long status(const char *name)
{
    slurp("/proc/self/status");
    return field(text, name);
}

static const char *sums[] = {"VmSize", "VmLck", "RssAnon", "RssShmem", "VmData", "VmStk", "VmExe"};
#define SUMS (sizeof sums / sizeof *sums)

/* Prints by how much the sums of status and statm have changed since the last call. */
static void say_changes(const char *what)
{
    static long before[SUMS], statm[7];
    long now, part[7];
    int length = 0;
    char changes[512];
    for (unsigned n = 0; n < SUMS; n++) {
        now = status(sums[n]);
        if (now != before[n])
            length += sprintf(changes + length, " %s %+ld", sums[n], now - before[n]);
        before[n] = now;
    }
    slurp("/proc/self/statm");
    sscanf(text, "%ld %ld %ld %ld %ld %ld %ld", part, part + 1, part + 2, part + 3, part + 4,
           part + 5, part + 6);
    for (int n = 0; n < 7; n++)
        if (part[n] != statm[n])
            length += sprintf(changes + length, " statm[%d] %+ld", n, part[n] - statm[n]);
    memcpy(statm, part, sizeof statm);
    if (what)
        say("%s:%s", what, length ? changes : " no change");
}

static void totals(void)
{
    int rw = PROT_READ | PROT_WRITE;
    char *at, *shared, *locked;
    settle();
    say_changes(NULL);
    at = anonymous(100);
    say_changes("mmap of 100");
    store_pages(at, 60, 1);
    say_changes("store to 60");
    load_pages(at, 100, 1);
    say_changes("load of all: 40 zero pages");
    mprotect(at, 50 * PAGE, PROT_READ);
    say_changes("50 read-only");
    shared = region_of(50, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    store_pages(shared, 30, 1);
    say_changes("30 shared");
    locked = anonymous(10);
    mlock(locked, 10 * PAGE);
    say_changes("10 locked");
    madvise(at, 20 * PAGE, MADV_DONTNEED);
    say_changes("20 discarded");
    munmap(locked, 10 * PAGE);
    say_changes("10 unmapped");
    store_pages(at + 50 * PAGE, 50, 1);
    say_changes("store to the zero pages");
}

static void faults_of_stat(void)
{
    char *at = anonymous(10);
    long own, of_children;
    settle();
    CHILD("child", store_pages(at, 10, 1));
    long before = minor_faults();
    slurp("/proc/self/stat");
    sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %ld %ld", &own, &of_children);
    say("stat has the faults of getrusage: %d", own == before);
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    say("and those of the children: %d", of_children == usage.ru_minflt && of_children > 10);
}

int main(void)
{
    enter_folder();
    settle();
    pagemap();
    references();
    totals();
    faults_of_stat();
    unlink("file");
    leave_folder();
}

/* Fault-around: which pages does a read fault on a file or on shared memory map? */
#include "oracle.h"

enum { WINDOW = 16, TABLE = 512 };

static int file; /* 96 pages, written */

/* A mapping at a place that is the same on both sides: `page` pages above a multiple of 2 MiB. */
static char *placed(int page, int pages, int prot, int flags, int fd, int offset)
{
    static char *base = (char *)(1UL << 37);
    base += 4 * TABLE * PAGE;
    char *at = mmap(base + page * PAGE, pages * PAGE, prot, flags | MAP_FIXED_NOREPLACE, fd,
                    offset * PAGE);
    if (at == MAP_FAILED)
        fail("mmap");
    regions[region_count] = at;
    region_sizes[region_count++] = pages * PAGE;
    return at;
}

#define RO PROT_READ
#define RW (PROT_READ | PROT_WRITE)

static void of_a_file(const char *kind, int prot, int flags)
{
    char *at = placed(0, 64, prot, flags, file, 0);
    say("%s, 64 pages", kind);
    STEP("load page 21", at, load_pages(at + 21 * PAGE, 1, 1));
    STEP("load the other pages of the window", at, load_pages(at + 16 * PAGE, 16, 1));
    STEP("load page 32, of the next window", at, load_pages(at + 32 * PAGE, 1, 1));
    if (prot & PROT_WRITE) {
        STEP("store to page 20, which was mapped around", at, store_pages(at + 20 * PAGE, 1, 1));
        STEP("store to page 48, of a window without pages", at, store_pages(at + 48 * PAGE, 1, 1));
        STEP("load page 49, beside it", at, load_pages(at + 49 * PAGE, 1, 1));
    }
    CHILD("child",
        STEP("at the start", at, (void)0);
        STEP("load page 21", at, load_pages(at + 21 * PAGE, 1, 1));
        if (prot & PROT_WRITE)
            STEP("store to page 22", at, store_pages(at + 22 * PAGE, 1, 1));
        CHILD("grandchild",
            STEP("at the start", at, (void)0);
            STEP("load all", at, load_pages(at, 64, 1))));
    STEP("load all", at, load_pages(at, 64, 1));
    munmap(at, 64 * PAGE);
}

static void clipped(void)
{
    say("windows that are clipped");
    char *at = placed(3, 6, RO, MAP_PRIVATE, file, 0);
    STEP("load page 2 of a mapping of 6", at, load_pages(at + 2 * PAGE, 1, 1));
    at = placed(13, 40, RO, MAP_PRIVATE, file, 5);
    STEP("load the first page of a mapping that begins in a window", at, load_pages(at, 1, 1));
    STEP("load the page after it ends", at, load_pages(at + 3 * PAGE, 1, 1));
    at = placed(TABLE - 3, 32, RO, MAP_SHARED, file, 0);
    STEP("load the last page of a leaf table", at, load_pages(at + 2 * PAGE, 1, 1));
    STEP("load the first of the next", at, load_pages(at + 3 * PAGE, 1, 1));
    at = placed(0, 32, RO, MAP_PRIVATE, file, 90);
    STEP("load page 1 of 6 that the file has", at, load_pages(at + PAGE, 1, 1));
    at = placed(8, 64, RW, MAP_PRIVATE, file, 1);
    mprotect(at + 20 * PAGE, 8 * PAGE, RO);
    STEP("load page 18, before other rights", at, load_pages(at + 18 * PAGE, 1, 1));
    STEP("load page 20, of other rights", at + 20 * PAGE,
         load_pages(at + 20 * PAGE, 1, 1));
    at = placed(0, 32, RO, MAP_PRIVATE, file, 0);
    madvise(at, 32 * PAGE, MADV_RANDOM);
    STEP("load page 7, with MADV_RANDOM", at, load_pages(at + 7 * PAGE, 1, 1));
    madvise(at, 32 * PAGE, MADV_DONTNEED);
    STEP("after MADV_DONTNEED", at, (void)0);
    STEP("load page 9 again", at, load_pages(at + 9 * PAGE, 1, 1));
}

static void with_holes(void)
{
    int sparse = open("sparse", O_RDWR | O_CREAT, 0600);
    ftruncate(sparse, 32 * PAGE);
    for (int page = 0; page < 32; page += 3)
        pwrite(sparse, "x", 1, page * PAGE);
    say("a file with holes");
    char *at = placed(0, 32, RO, MAP_SHARED, sparse, 0);
    STEP("load page 3", at, load_pages(at + 3 * PAGE, 1, 1));
    STEP("load page 4, a hole", at, load_pages(at + 4 * PAGE, 1, 1));
    STEP("load all", at, load_pages(at, 32, 1));
    at = placed(0, 32, RW, MAP_PRIVATE, sparse, 0);
    STEP("store to page 5", at, store_pages(at + 5 * PAGE, 1, 1));
    STEP("load page 6", at, load_pages(at + 6 * PAGE, 1, 1));
    STEP("load all", at, load_pages(at, 32, 1));
    close(sparse);
    unlink("sparse");
}

static void of_shared_memory(void)
{
    say("shared memory without a file");
    char *at = placed(0, 64, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    STEP("load page 5", at, load_pages(at + 5 * PAGE, 1, 1));
    STEP("store to page 5, which was read", at, store_pages(at + 5 * PAGE, 1, 1));
    STEP("store to pages 8 to 11", at, store_pages(at + 8 * PAGE, 4, 1));
    CHILD("child",
        STEP("at the start", at, (void)0);
        STEP("load page 10", at, load_pages(at + 10 * PAGE, 1, 1));
        STEP("store to page 11, which was mapped around", at, store_pages(at + 11 * PAGE, 1, 1));
        STEP("store to pages 16 to 23", at, store_pages(at + 16 * PAGE, 8, 1)));
    STEP("load page 20, which the child made", at, load_pages(at + 20 * PAGE, 1, 1));
    STEP("load the others", at, load_pages(at + 16 * PAGE, 8, 1));
    mprotect(at, 64 * PAGE, RO);
    mprotect(at, 64 * PAGE, RW);
    STEP("store to pages 16 to 23 after mprotect to and fro", at,
         store_pages(at + 16 * PAGE, 8, 1));
}

static void of_the_kernel(void)
{
    char buffer[64];
    int pipes[2];
    pipe(pipes);
    say("accesses of the kernel");
    char *at = placed(0, 64, RW, MAP_PRIVATE, file, 0);
    STEP("write from page 17", at, write(pipes[1], at + 17 * PAGE, 4));
    STEP("read to page 18, which was mapped around", at, read(pipes[0], at + 18 * PAGE, 4));
    STEP("stat to page 40", at, fstat(file, (struct stat *)(at + 40 * PAGE)));
    write(pipes[1], "text", 4);
    STEP("read to page 50", at, read(pipes[0], at + 50 * PAGE, 4));
    STEP("load page 51", at, load_pages(at + 51 * PAGE, 1, 1));
    (void)buffer;
}

static void untouched_memory_and_fork(void)
{
    say("what fork leaves to faults");
    char *only_read = anonymous(8), *written = anonymous(8);
    load_pages(only_read, 8, 1);
    load_pages(written, 8, 1);
    store_pages(written, 1, 1);
    CHILD("child",
        STEP("load memory that was only read", only_read, load_pages(only_read, 8, 1));
        STEP("load memory of which a page was written", written, load_pages(written, 8, 1));
        STEP("store to it", written, store_pages(written, 8, 1));
        CHILD("grandchild",
            STEP("load it", written, load_pages(written, 8, 1));
            STEP("load memory that was only read", only_read, load_pages(only_read, 8, 1))));
    mprotect(written + 4 * PAGE, 4 * PAGE, RO);
    CHILD("child",
        STEP("load the part that was cut off", written + 4 * PAGE,
             load_pages(written + 4 * PAGE, 4, 1)));
}

int main(void)
{
    enter_folder();
    file = open("file", O_RDWR | O_CREAT, 0600);
    for (int page = 0; page < 96; page++)
        pwrite(file, "content", 7, page * PAGE);
    ftruncate(file, 95 * PAGE + 100);
    settle();
    of_a_file("a private file", RW, MAP_PRIVATE);
    of_a_file("a private file, read-only", RO, MAP_PRIVATE);
    of_a_file("a shared file", RW, MAP_SHARED);
    of_a_file("a shared file, read-only", RO, MAP_SHARED);
    clipped();
    with_holes();
    of_shared_memory();
    of_the_kernel();
    untouched_memory_and_fork();
    unlink("file");
    leave_folder();
}

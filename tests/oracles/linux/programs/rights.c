/* mprotect(2) around a fork: which pages may be written at once when the right to write comes back,
   and which only after one more fault? */
#include "huge.h"

#define FEW 24
#define MANY 700

static void rights(char *at, int pages, int between)
{
    if (mprotect(at, pages * PAGE, between) || mprotect(at, pages * PAGE, PROT_READ | PROT_WRITE))
        fail("mprotect");
}

static void one_user_left(int pages, int between)
{
    char *at = anonymous(pages);
    store_pages(at, pages, 1);
    rights(at, pages, between);
    STEP("never shared", at, store_pages(at, pages, 1));
    CHILD("child", {
        STEP("copied", at, store_pages(at, 6, 1));
        rights(at, pages, between);
        STEP("rights of copies and shared pages", at, store_pages(at, 12, 1));
        rights(at, pages, between);
        STEP("rights of 12 copies", at, store_pages(at, 12, 1));
    });
    rights(at, pages, between);
    STEP("rights after the child", at, store_pages(at, pages / 2, 1));
    rights(at, pages, between);
    STEP("rights once more", at, store_pages(at, pages, 1));
    rights(at, pages, between);
    STEP("rights when all were stored to", at, store_pages(at, pages, 1));
    CHILD("second child", { rights(at, pages, between); });
    rights(at, pages / 2, between);
    STEP("rights of half", at, store_pages(at, pages, 1));
    munmap(at, pages * PAGE);
}

static void child_is_left(void)
{
    char *at = anonymous(FEW);
    store_pages(at, FEW, 1);
    CHILD("child", {
        CHILD("grandchild", { STEP("store", at, store_pages(at, 4, 1)); });
        rights(at, FEW, PROT_READ);
        STEP("rights after the grandchild", at, store_pages(at, 8, 1));
    });
    store_pages(at, 4, 1);
    CHILD("second child", {});
    STEP("discarded", at, madvise(at, 8 * PAGE, MADV_DONTNEED));
    store_pages(at, 8, 1);
    rights(at, FEW, PROT_NONE);
    STEP("rights of new and old pages", at, store_pages(at, FEW, 1));
    munmap(at, FEW * PAGE);
}

static void by_the_kernel(void)
{
    char *at = anonymous(FEW), from[2] = "xy";
    int pipes[2];
    store_pages(at, FEW, 1);
    CHILD("child", {});
    if (pipe(pipes) || write(pipes[1], from, 2) != 2 || read(pipes[0], at, 1) != 1)
        fail("pipe");
    rights(at, FEW, PROT_READ);
    STEP("read(2) stored to the first", at, store_pages(at, 1, 1));
    STEP("read(2) stores to the second", at, read(pipes[0], at + PAGE, 1));
    STEP("the others", at, store_pages(at, FEW, 1));
    munmap(at, FEW * PAGE);
}

static void moved(void)
{
    char *at = anonymous(FEW), *to = anonymous(FEW);
    store_pages(at, FEW, 1);
    CHILD("child", {});
    store_pages(at, 5, 1);
    mremap(at, FEW * PAGE, FEW * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    rights(to, FEW, PROT_READ);
    STEP("moved", to, store_pages(to, FEW, 1));
    munmap(to, FEW * PAGE);
}

static void of_a_file(void)
{
    enter_folder();
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, FEW * PAGE))
        fail("file");
    char *at = region_of(FEW, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    store_pages(at, 9, 1);
    rights(at, FEW, PROT_READ);
    STEP("copies of a file", at, store_pages(at, 12, 1));
    CHILD("child", {});
    rights(at, FEW, PROT_READ);
    STEP("copies of a file, after a child", at, store_pages(at, FEW, 1));
    munmap(at, FEW * PAGE);
    close(fd);
    unlink("file");
    leave_folder();
}

static void of_huge_pages(void)
{
    char *at = advised(2);
    store_pages(at, 2, COUNT);
    rights(at, 2 * COUNT, PROT_READ);
    STEP("huge, never shared", at, store_pages(at, 2, COUNT));
    CHILD("child", {});
    rights(at, 2 * COUNT, PROT_NONE);
    STEP("huge, after the child", at, store_pages(at, 1, 1));
    rights(at, 2 * COUNT, PROT_NONE);
    STEP("huge, once more", at, store_pages(at, 2, COUNT));
    CHILD("second child", { store_pages(at, 2, COUNT); });
    rights(at, 5, PROT_READ);
    STEP("split", at + 5 * PAGE, store_pages(at, 9, 1));
    rights(at, 2 * COUNT, PROT_READ);
    STEP("small and huge ones", at, store_pages(at, 2 * COUNT, 1));
    munmap(at, 2 * HUGE);
}

int main(void)
{
    settle();
    one_user_left(FEW, PROT_READ);
    one_user_left(FEW, PROT_NONE);
    one_user_left(MANY, PROT_READ);
    child_is_left();
    by_the_kernel();
    moved();
    of_a_file();
    of_huge_pages();
}

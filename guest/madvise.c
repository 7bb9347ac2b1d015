/* What does MADV_DONTNEED do to pages that a fork shares?
 *
 * DONTNEED in the child gives it zeros, or the file's text again in a private
 * file mapping, and takes nothing from the parent. Of N pages none is copied. */
#include "check.h"

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 8);
    size_t size = count * PAGE;
    char name[] = "/tmp/madvise.XXXXXX";
    int file = mkstemp(name);
    NEED(file >= 0 && unlink(name) == 0 && ftruncate(file, PAGE) == 0);
    NEED(pwrite(file, "file", 4, 0) == 4);
    char *mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    NEED(mapped != MAP_FAILED);
    char *memory = new_pages(count);
    mark(memory, count, 'P');
    mark(mapped, 1, 'M');
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(marked(memory, count, 'P'), "child: as at the fork");
        CHECK(madvise(memory, size, MADV_DONTNEED) == 0, "child: MADV_DONTNEED");
        CHECK(marked(memory, count, 0), "child: zeros");
        mark(memory, count, 'C');
        CHECK(marked(memory, count, 'C'), "child: written again");
        NEED(madvise(mapped, PAGE, MADV_DONTNEED) == 0);
        CHECK(memcmp(mapped, "file", 4) == 0, "child: the file's text again");
        _exit(verdict());
    }
    join(pid);
    CHECK(marked(memory, count, 'P') && mapped[0] == 'M', "parent: as it was");
    return verdict();
}

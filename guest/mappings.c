/* Which writes does the other side of a fork see, and which the file?
 *
 * Shared mappings, anonymous and of a file, are one memory for both and for the
 * file; a private mapping of a file is each one's own, and the file keeps its
 * text. The child writes each of N pages of each kind, then the parent does. */
#include "check.h"

#include <fcntl.h>


int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 4);
    size_t size = count * PAGE;
    char name[] = "/tmp/mappings.XXXXXX";
    char text[4] = "";
    int file = mkstemp(name);
    NEED(file >= 0 && ftruncate(file, size) == 0);
    for (size_t page = 0; page < count; page++)
        NEED(pwrite(file, "file", 4, page * PAGE) == 4);

    char *anonymous =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    char *private = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    char *untouched = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    NEED(anonymous != MAP_FAILED && shared != MAP_FAILED);
    NEED(private != MAP_FAILED && untouched != MAP_FAILED);
    NEED(close(file) == 0); /* mappings outlive their descriptor */
    CHECK(memcmp(private, "file", 4) == 0 && memcmp(shared, "file", 4) == 0, "the file's text");
    mark(private, count, 'P');

    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(marked(private, count, 'P'), "child: the parent's private pages");
        mark(anonymous, count, 'A');
        mark(shared, count, 'S');
        mark(private, count, 'C');
        _exit(verdict());
    }
    join(pid);
    CHECK(marked(anonymous, count, 'A'), "shared memory shows the child's writes");
    CHECK(marked(shared, count, 'S'), "a shared mapping shows the child's writes");
    CHECK(marked(private, count, 'P'), "a private mapping does not");
    file = open(name, O_RDWR);
    NEED(file >= 0);
    CHECK(pread(file, text, 4, 0) == 4 && !memcmp(text, "Sile", 4), "the file has it too");
    CHECK(memcmp(untouched, "Sile", 4) == 0, "an untouched private page shows the file");
    mark(shared, count, 'T');
    CHECK(msync(shared, size, MS_SYNC) == 0, "msync");
    CHECK(pread(file, text, 4, size - PAGE) == 4 && text[0] == 'T', "the parent's write as well");
    NEED(pwrite(file, "W", 1, 0) == 1);
    CHECK(shared[0] == 'W', "write(2) shows in the shared mapping");
    CHECK(private[0] == 'P', "and not in a written private page");
    NEED(munmap(shared, size) == 0);
    CHECK(pread(file, text, 4, 0) == 4 && text[0] == 'W', "the file outlives the mapping");
    NEED(unlink(name) == 0);
    return verdict();
}

/* What do system calls do with ridiculous pointers?
 *
 * EFAULT, and nothing else happens: address 0, unmapped, read-only, a hole after
 * half the buffer, the kernel's half of the address space. */
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

int main(void)
{
    char *memory = new_pages(3);
    char *hole = memory + PAGE, *sealed = memory + 2 * PAGE;
    char *kernel = (char *)0xffffffff80000000UL;
    int ends[2];
    NEED(munmap(hole, PAGE) == 0 && mprotect(sealed, PAGE, PROT_READ) == 0);
    NEED(pipe(ends) == 0 && write(ends[1], "0123456789", 10) == 10);

    char *bad[] = {NULL, hole, sealed, kernel, (char *)0x7ffffffffffff000UL};
    const char *names[] = {"address 0", "a hole", "read-only", "the kernel's half", "beyond"};
    for (int which = 0; which < 5; which++) {
        errno = 0;
        CHECK(read(ends[0], bad[which], 4) == -1 && errno == EFAULT, names[which]);
        CHECK(fstat(ends[0], (struct stat *)bad[which]) == -1 && errno == EFAULT, "  fstat");
        CHECK(pipe((int *)bad[which]) == -1 && errno == EFAULT, "  pipe");
        if (bad[which] == sealed)
            continue; /* reading it is fine */
        CHECK(write(ends[1], bad[which], 4) == -1 && errno == EFAULT, "  write");
        CHECK(open(bad[which], O_RDONLY) == -1 && errno == EFAULT, "  open");
        CHECK(nanosleep((struct timespec *)bad[which], NULL) == -1 && errno == EFAULT,
              "  nanosleep");
    }
    CHECK(open(hole - 4, O_RDONLY) == -1 && errno == ENOENT, "an empty path ends in time");
    memset(hole - 4, 'x', 4);
    CHECK(open(hole - 4, O_RDONLY) == -1 && errno == EFAULT, "a path that runs into a hole");
    CHECK(write(-1, memory, 1) == -1 && errno == EBADF, "a descriptor that is none");

    char text[16] = "";
    CHECK(read(ends[0], text, 10) > 0, "the pipe still works");
    return verdict();
}

/* Is memory that is never written ever copied?
 *
 * N pages made read-only, and N pages that could be written but are only read,
 * go through a child and a grandchild: none copied, none reused. */
#include "check.h"

static const char constant[] = "constant data";

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 16);
    char *sealed = new_pages(count);
    char *open = new_pages(count);
    mark(sealed, count, 'S');
    mark(open, count, 'O');
    NEED(mprotect(sealed, count * PAGE, PROT_READ) == 0);
    for (int depth = 0; depth < 2; depth++) {
        pid_t pid = fork();
        NEED(pid >= 0);
        if (pid != 0) {
            int status = status_of(pid);
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the process below agrees");
            CHECK(marked(sealed, count, 'S') && marked(open, count, 'O'), "both read the same");
            return verdict();
        }
    }
    CHECK(marked(sealed, count, 'S'), "the grandchild reads the sealed pages");
    CHECK(marked(open, count, 'O'), "the grandchild reads the open pages");
    CHECK(memcmp(constant, "constant data", sizeof constant) == 0, "and constants");
    return verdict();
}

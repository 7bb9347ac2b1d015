/* Does a second write to a page cost another fault?
 *
 * The child writes each of N pages three times and reads them in between. Only
 * its first write copies: N copied. When it has ended, the parent writes each
 * page twice, and only the first takes it over: N reused. */
#include "check.h"

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 16);
    char *memory = new_pages(count);
    mark(memory, count, 'P');
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        for (char letter = 'a'; letter < 'd'; letter++) {
            mark(memory, count, letter);
            NEED(marked(memory, count, letter));
        }
        _exit(0);
    }
    join(pid);
    CHECK(marked(memory, count, 'P'), "the parent's pages");
    mark(memory, count, 'Q');
    mark(memory, count, 'R');
    CHECK(marked(memory, count, 'R'), "the parent's second writes");
    return verdict();
}

/* Does a fork of a fork of a fork … share and copy one page at a time?
 *
 * A chain of 8 processes, each the child of the one before. The last writes N
 * pages first, then the one above it, up to the root. All but the root copy,
 * since an ancestor still holds the frame; the root takes over: 7 N copied, N
 * reused. */
#include "check.h"

enum { LENGTH = 8 };

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 16);
    char *memory = new_pages(count);
    mark(memory, count, 'r');
    int level = 0;
    pid_t below = 0;
    while (level < LENGTH - 1) {
        below = fork();
        NEED(below >= 0);
        if (below != 0)
            break;
        level++;
    }
    if (level < LENGTH - 1) {
        int status = status_of(below);
        NEED(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    NEED(marked(memory, count, 'r'));
    mark(memory, count, 'A' + level);
    NEED(marked(memory, count, 'A' + level));
    say("ok   level %d wrote its own", level);
    return verdict();
}

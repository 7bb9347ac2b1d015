/* Do 128 forks give every frame back?
 *
 * Eight waves of sixteen children that all live at once. Each writes N pages,
 * checks them, and exits with its number. N of each child's pages are copied:
 * 128 N; the parent at the end takes them all over: N reused. */
#include "check.h"

enum { WAVES = 8, CHILDREN = 16 };

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 4);
    char *memory = new_pages(count);
    int wrong = 0;
    mark(memory, count, 'P');
    for (int wave = 0; wave < WAVES; wave++) {
        pid_t children[CHILDREN];
        struct gate gate;
        gate_make(&gate);
        for (int child = 0; child < CHILDREN; child++) {
            children[child] = fork();
            NEED(children[child] >= 0);
            if (children[child] == 0) {
                gate_wait(&gate);
                NEED(marked(memory, count, 'P'));
                mark(memory, count, 'a' + child);
                NEED(marked(memory, count, 'a' + child));
                _exit(wave * CHILDREN + child);
            }
        }
        for (int child = 0; child < CHILDREN; child++)
            gate_open(&gate);
        for (int child = 0; child < CHILDREN; child++) {
            int status = status_of(children[child]);
            wrong += !WIFEXITED(status) || WEXITSTATUS(status) != wave * CHILDREN + child;
        }
        NEED(close(gate.ends[0]) == 0 && close(gate.ends[1]) == 0);
    }
    CHECK(wrong == 0, "128 children wrote, checked and exited");
    CHECK(marked(memory, count, 'P'), "the parent's pages");
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD, "no child is left");
    mark(memory, count, 'Q');
    return verdict();
}

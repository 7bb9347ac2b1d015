/* Time to free much memory: from a child's exit until its parent's wait returns, and from
 * another's exec of a small program (this one) until that runs. Arguments are MiB. */
#include "bench.h"
#include "../../../guest/exec.h"

static void say_since(const char *what, const char *mebibytes, uint64_t start)
{
    char name[32];
    snprintf(name, sizeof name, "%s_%s", what, mebibytes);
    report(name, now() - start, 1);
}

/* A child that touches its memory and reports when it begins to exit. */
static pid_t child_with(size_t mebibytes, uint64_t *start)
{
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        store_to_each(new_pages(mebibytes << 8), mebibytes << 8);
        *start = now();
    }
    return child;
}

static void leave_by_exit(const char *mebibytes, uint64_t *start, int measured)
{
    pid_t child = child_with(strtoul(mebibytes, NULL, 10), start);
    if (child == 0)
        _exit(0);
    must_succeed(child);
    if (measured)
        say_since("exit", mebibytes, *start);
}

static void leave_by_exec(char *mebibytes, uint64_t *start, char *program)
{
    pid_t child = child_with(strtoul(mebibytes, NULL, 10), start);
    if (child == 0) {
        char began[32];
        snprintf(began, sizeof began, "%llu", (unsigned long long)*start);
        exec_self(program, (char *[]){"executed", mebibytes, began, NULL});
    }
    must_succeed(child);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "executed") == 0) {
        say_since("exec", argv[2], strtoull(argv[3], NULL, 10));
        return 0;
    }
    uint64_t *start = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(start != MAP_FAILED);
    for (int index = 1; index < argc; index++) {
        if (index == 1) /* the first one of all loads what is needed for it */
            leave_by_exit(argv[index], start, 0);
        leave_by_exit(argv[index], start, 1);
        leave_by_exec(argv[index], start, argv[0]);
    }
    return 0;
}

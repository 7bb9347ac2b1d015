/* Does vfork's child really borrow its parent's memory?
 *
 * What it writes the parent sees, and the parent waits until it exits or
 * executes; no page is copied. posix_spawn relies on that to report to its caller
 * why a program could not be started. (qemu-riscv64 makes a plain fork of it.) */
#include "check.h"

#include <spawn.h>

#include "exec.h"

int main(int argc, char **argv)
{
    if (argc > 2)
        return 33;
    const size_t count = pages_wanted(argc, argv, 8);
    char *memory = new_pages(count);
    mark(memory, count, 'P');
    pid_t pid = vfork();
    NEED(pid >= 0);
    if (pid == 0) {
        mark(memory, count, 'C');
        _exit(17);
    }
    CHECK(marked(memory, count, 'C'), "the child wrote the parent's memory");
    int status = status_of(pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 17, "its exit status");

    pid = vfork();
    NEED(pid >= 0);
    if (pid == 0) {
        mark(memory, count, 'D');
        exec_self(argv[0], (char *[]){"executed", "twice", NULL});
    }
    CHECK(marked(memory, count, 'D'), "until it executes a program");
    status = status_of(pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 33, "which runs in memory of its own");
    CHECK(marked(memory, count, 'D'), "and leaves the parent's alone");

    char *none[] = {"none", NULL};
    CHECK(posix_spawn(&pid, "/no/such/program", NULL, NULL, none, none + 1) == ENOENT,
          "posix_spawn says why it failed");
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD, "and leaves no child");
    return verdict();
}

/* Does exec in a child leave the parent's memory alone, and start afresh?
 *
 * The program forks and executes itself, with an argument that says so, three
 * times. The new program finds its variables as built, its arguments and its
 * environment as given, and its open descriptor; one marked close-on-exec is gone. */
#include "check.h"

#include <fcntl.h>

#include "exec.h"

static int counter = 7;

static int executed(char **argv)
{
    CHECK(counter == 7, "executed: variables as built");
    CHECK(strcmp(argv[2], "an argument with spaces") == 0, "executed: its argument");
    CHECK(getenv("GUEST") && strcmp(getenv("GUEST"), "yes") == 0, "executed: its environment");
    char text[8] = "";
    CHECK(read(10, text, sizeof text) == 4 && !strcmp(text, "kept"), "executed: a descriptor");
    CHECK(fcntl(11, F_GETFD) == -1 && errno == EBADF, "executed: close-on-exec");
    return verdict() ? 1 : 42;
}

int main(int argc, char **argv)
{
    if (argc > 2)
        return executed(argv);
    counter = 8;
    for (int round = 0; round < 3; round++) {
        int ends[2];
        NEED(pipe(ends) == 0);
        NEED(write(ends[1], "kept", 4) == 4);
        pid_t pid = fork();
        NEED(pid >= 0);
        if (pid == 0) {
            counter = 9;
            NEED(dup2(ends[0], 10) == 10);
            NEED(dup3(ends[0], 11, O_CLOEXEC) == 11);
            NEED(setenv("GUEST", "yes", 1) == 0);
            exec_self(argv[0], (char *[]){"executed", "an argument with spaces", NULL});
        }
        int status = status_of(pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42, "the child executed itself");
        CHECK(counter == 8, "the parent's variable");
        NEED(close(ends[0]) == 0 && close(ends[1]) == 0);
    }
    NEED(execl("/no/such/program", "program", NULL) == -1);
    CHECK(errno == ENOENT, "a program that is not there");
    CHECK(counter == 8, "and the caller goes on");
    return verdict();
}

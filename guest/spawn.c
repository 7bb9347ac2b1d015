/* Does posix_spawn work, as shells and system(3) use it?
 *
 * It starts the program itself, with a changed descriptor and a signal mask. */
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include "exec.h"

extern char **environ;

static int spawned(char **argv)
{
    sigset_t mask;
    NEED(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    int right = sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGUSR2) == 0;
    return write(STDOUT_FILENO, argv[2], strlen(argv[2])) > 0 && right ? 33 : 1;
}

int main(int argc, char **argv)
{
    if (argc > 2)
        return spawned(argv);

    int ends[2];
    char text[32] = "";
    NEED(pipe2(ends, O_CLOEXEC) == 0);
    pid_t pid;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    NEED(posix_spawn_file_actions_init(&actions) == 0);
    NEED(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0);
    NEED(posix_spawnattr_init(&attributes) == 0);
    NEED(posix_spawnattr_setsigmask(&attributes, &mask) == 0);
    NEED(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) == 0);
    for (int round = 0; round < 3; round++) {
        char **command = own_command(argv[0], (char *[]){"spawned", "from the child", NULL});
        int error = posix_spawn(&pid, command[0], &actions, &attributes, command, environ);
        CHECK(error == 0, "posix_spawn");
        int status = status_of(pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 33, "its exit status and mask");
        memset(text, 0, sizeof text);
        CHECK(read(ends[0], text, sizeof text) == 14 && !strcmp(text, "from the child"),
              "its output through the pipe");
    }
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD, "no child is left");
    return verdict();
}

/* A guest that executes itself. qemu-riscv64 can only execute programs of the
 * machine it runs on, itself for one, so the tests set GUEST_RUNNER
 * to the command (words with one space between) to put before it. */
#ifndef EXEC_H
#define EXEC_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The full command line for this program: runner, program, arguments up to NULL. */
static char **own_command(char *program, char **arguments)
{
    static char runner[1024];
    static char *command[64];
    int words = 0;
    const char *given = getenv("GUEST_RUNNER");
    strncpy(runner, given ? given : "", sizeof runner - 1);
    for (char *word = strtok(runner, " "); word; word = strtok(NULL, " "))
        command[words++] = word;
    command[words++] = program;
    while (*arguments)
        command[words++] = *arguments++;
    command[words] = NULL;
    return command;
}

/* Replace this process by the same program with other arguments; never returns. */
__attribute__((unused, noreturn)) static void exec_self(char *program, char **arguments)
{
    char **command = own_command(program, arguments);
    execv(getenv("GUEST_RUNNER") ? command[0] : "/proc/self/exe", command);
    _exit(127);
}

#endif

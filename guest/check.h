/* What the guests share. A guest asks one question and answers it by checking
 * itself: a line for each thing checked, exit status 1 when one was wrong.
 *
 * Output goes out with write(2) at once, so that fork duplicates no buffer, and
 * names no process id, address or time, so that it is the same on every machine.
 * Parent and child print in an order they agree on, by wait or by a gate.
 *
 * Include it first: it asks the C library for all it has. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL

static int failures;

__attribute__((format(printf, 1, 2), unused)) static void say(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    if (write(STDOUT_FILENO, line, length) != length)
        _exit(3);
}

/* Check something and say so. */
#define CHECK(condition, what)                                                      \
    do {                                                                            \
        if (condition) {                                                            \
            say("ok   %s", what);                                                   \
        } else {                                                                    \
            say("FAIL %s:%d %s: %s", __FILE__, __LINE__, what, #condition);         \
            failures++;                                                             \
        }                                                                           \
    } while (0)

/* Check something that must hold for the question to make sense; silent when it does. */
#define NEED(condition)                                                             \
    do {                                                                            \
        if (!(condition)) {                                                         \
            say("FAIL %s:%d %s (%s)", __FILE__, __LINE__, #condition,               \
                strerror(errno));                                                   \
            _exit(2);                                                               \
        }                                                                           \
    } while (0)

/* The status to leave main, or a child, with. */
__attribute__((unused)) static int verdict(void)
{
    return failures ? 1 : 0;
}

/* The guest's argument N, a number of pages; the tests run a guest with two
 * values and take the difference of the counts, which leaves out the C library. */
__attribute__((unused)) static size_t pages_wanted(int argc, char **argv, size_t otherwise)
{
    return argc > 1 ? strtoul(argv[1], NULL, 10) : otherwise;
}

/* New private memory of a number of pages. */
__attribute__((unused)) static char *new_pages(size_t count)
{
    char *memory = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(memory != MAP_FAILED);
    return memory;
}

/* Write a letter at the start and the end of each page, and nowhere else. */
__attribute__((unused)) static void mark(char *memory, size_t count, char letter)
{
    for (size_t page = 0; page < count; page++) {
        ((volatile char *)memory)[page * PAGE] = letter;
        ((volatile char *)memory)[page * PAGE + PAGE - 1] = letter;
    }
}

/* Whether each page still has its letter. */
__attribute__((unused)) static int marked(const char *memory, size_t count, char letter)
{
    for (size_t page = 0; page < count; page++) {
        if (((volatile const char *)memory)[page * PAGE] != letter ||
            ((volatile const char *)memory)[page * PAGE + PAGE - 1] != letter)
            return 0;
    }
    return 1;
}

/* The wait status of a child that has ended. */
__attribute__((unused)) static int status_of(pid_t child)
{
    int status;
    pid_t got;
    do {
        got = waitpid(child, &status, 0);
    } while (got < 0 && errno == EINTR);
    NEED(got == child);
    return status;
}

/* Wait for a child, which prints its own failures. */
__attribute__((unused)) static void join(pid_t child)
{
    int status = status_of(child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child agrees");
}

/* A gate holds one process up until another opens it. */
struct gate {
    int ends[2];
};

__attribute__((unused)) static void gate_make(struct gate *gate)
{
    NEED(pipe(gate->ends) == 0);
}

__attribute__((unused)) static void gate_open(struct gate *gate)
{
    NEED(write(gate->ends[1], "!", 1) == 1);
}

__attribute__((unused)) static void gate_wait(struct gate *gate)
{
    char byte;
    ssize_t got;
    do {
        got = read(gate->ends[0], &byte, 1);
    } while (got < 0 && errno == EINTR);
    NEED(got == 1);
}

#endif

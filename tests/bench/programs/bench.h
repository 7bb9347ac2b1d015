/* Functions common to the measured programs. Each does one kind of work, takes its
 * own time, so that no start-up is in it, and says `name nanoseconds` for each kind.
 * The same source is compiled for RISC-V and for the machine itself. */
#ifndef BENCH_H
#define BENCH_H

#include "../../../guest/check.h"
#include <stdint.h>
#include <time.h>

__attribute__((unused)) static uint64_t now(void)
{
    struct timespec time;
    NEED(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Nanoseconds for each of a number of units of work. */
__attribute__((unused)) static void report(const char *name, uint64_t nanoseconds, size_t units)
{
    say("%s %.3f", name, (double)nanoseconds / (double)units);
}

/* Argument number `index`, or a default size. */
__attribute__((unused)) static size_t argument(int argc, char **argv, int index, size_t otherwise)
{
    return argc > index ? strtoul(argv[index], NULL, 10) : otherwise;
}

/* Marsaglia's xorshift64: cheap and far from sequential. */
__attribute__((unused)) static uint64_t scatter(uint64_t value)
{
    value ^= value << 13;
    value ^= value >> 7;
    return value ^ value << 17;
}

/* Make the compiler believe that a value is used. */
#define USE(value) __asm__ volatile("" : : "r"(value) : "memory")

/* Store to each page once. */
__attribute__((unused)) static void store_to_each(char *memory, size_t pages)
{
    for (size_t page = 0; page < pages; page++)
        ((volatile char *)memory)[page * PAGE] = 1;
}

/* Waits for a child, which prints its own results. */
__attribute__((unused)) static void must_succeed(pid_t child)
{
    NEED(child > 0);
    int status = status_of(child);
    NEED(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif

/* Does code in a huge page run as its own process last wrote it?
 *
 * Functions at the ends of 2 MiB of executable memory are run, rewritten on each side of a fork,
 * and run again, also after the memory is cut, made executable only, and collapsed. */
#include "check.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define HUGE (2UL << 20)
#define MIDDLE (HUGE / 2)
#define LAST (HUGE - 8)

typedef int function(void);

/* Writes `li a0, value; ret` at an address. */
static void write_code(void *at, int value)
{
    unsigned code[] = {0x00000513u | (unsigned)value << 20, 0x00008067u};
    memcpy(at, code, sizeof code);
}

static int run_code(void *at)
{
    __builtin___clear_cache(at, (char *)at + 8);
    return ((function *)at)();
}

static int rewrite(void *at, int value)
{
    write_code(at, value);
    return run_code(at);
}

int main(void)
{
    int both = PROT_READ | PROT_WRITE;
    char *code = mmap(NULL, 2 * HUGE, both | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(code != MAP_FAILED);
    code = (char *)(((unsigned long)code + HUGE - 1) & -HUGE);
    madvise(code, HUGE, MADV_HUGEPAGE);
    CHECK(rewrite(code, 1) == 1 && rewrite(code + MIDDLE, 2) == 2 && rewrite(code + LAST, 3) == 3,
          "at three places");
    struct gate gate;
    gate_make(&gate);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(run_code(code) == 1 && run_code(code + LAST) == 3, "child: the code at the fork");
        CHECK(rewrite(code + LAST, 30) == 30, "child: its own code");
        CHECK(run_code(code) == 1 && run_code(code + MIDDLE) == 2, "child: the code beside it");
        gate_wait(&gate);
        CHECK(run_code(code) == 1 && run_code(code + LAST) == 30, "child: after the parent's store");
        _exit(verdict());
    }
    int before = run_code(code + LAST);
    int after = rewrite(code, 10);
    gate_open(&gate);
    join(pid);
    CHECK(before == 3 && after == 10, "parent: the code at the fork, and its own");
    CHECK(run_code(code) == 10 && run_code(code + MIDDLE) == 2 && run_code(code + LAST) == 3,
          "parent: after the child's end");

    int right = 1;
    for (int value = 0; value < 50; value++)
        right &= rewrite(code + MIDDLE, value) == value && run_code(code) == 10;
    CHECK(right, "rewritten fifty times");

    NEED(munmap(code + MIDDLE + 8 * PAGE, PAGE) == 0);
    CHECK(run_code(code) == 10 && run_code(code + LAST) == 3, "on each side of a hole");
    NEED(mprotect(code, MIDDLE, both) == 0);
    write_code(code, 4);
    NEED(mprotect(code, MIDDLE, PROT_READ | PROT_EXEC) == 0);
    CHECK(run_code(code) == 4 && run_code(code + LAST) == 3, "written and then made executable");

    char *other = mmap(NULL, 2 * HUGE, both | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(other != MAP_FAILED);
    other = (char *)(((unsigned long)other + HUGE - 1) & -HUGE);
    madvise(other, HUGE, MADV_NOHUGEPAGE);
    NEED(rewrite(other, 5) == 5 && rewrite(other + LAST, 6) == 6);
    madvise(other, HUGE, MADV_HUGEPAGE);
    madvise(other, HUGE, MADV_COLLAPSE);
    CHECK(run_code(other) == 5 && run_code(other + LAST) == 6, "after a collapse");
    CHECK(rewrite(other, 7) == 7 && run_code(other + LAST) == 6, "and rewritten");
    NEED(madvise(other, HUGE, MADV_DONTNEED) == 0);
    CHECK(rewrite(other + MIDDLE, 8) == 8, "written after a discard");
    return verdict();
}

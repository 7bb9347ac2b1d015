/* Is code that changes run as changed?
 *
 * A function is written, run, rewritten and run again: in one mapping, after fork
 * in a page still shared (each side runs its own), after mprotect, and after a
 * file is mapped over it. Each time with __builtin___clear_cache, as any JIT does. */
#include "check.h"

typedef int function(void);

/* Write `li a0, value; ret` at an address. */
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
    char *code = mmap(NULL, 2 * PAGE, both | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(code != MAP_FAILED);
    int right = 1;
    for (int value = 0; value < 100; value++)
        right &= rewrite(code, value) == value;
    CHECK(right, "rewritten a hundred times");

    /* A function over the page boundary, changed in its second half alone. */
    char *over = code + PAGE - 4;
    CHECK(rewrite(over, 50) == 50, "code across two pages");

    struct gate gate;
    gate_make(&gate);
    NEED(rewrite(code, 1) == 1);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(run_code(code) == 1, "child: the code at the fork");
        CHECK(rewrite(code, 2) == 2, "child: its own code");
        gate_wait(&gate);
        CHECK(run_code(code) == 2 && run_code(over) == 50, "child: still its own");
        _exit(verdict());
    }
    int before = run_code(code);
    int after = rewrite(code, 3);
    gate_open(&gate);
    join(pid);
    CHECK(before == 1 && after == 3 && run_code(code) == 3, "parent: its own code");

    NEED(mprotect(code, PAGE, both) == 0);
    write_code(code, 4);
    NEED(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == 0);
    CHECK(run_code(code) == 4, "written and then made executable");

    char name[] = "/tmp/self_modify.XXXXXX";
    int file = mkstemp(name);
    char bytes[8];
    write_code(bytes, 5);
    NEED(file >= 0 && unlink(name) == 0 && write(file, bytes, 8) == 8);
    NEED(mmap(code, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 0) == code);
    CHECK(run_code(code) == 5, "a file mapped over it");
    return verdict();
}

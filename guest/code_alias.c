/* Is code run as changed when it was changed through another mapping?
 *
 * A file is mapped twice, once writable and once executable. The function is
 * written through the one and run through the other; written by a child, and
 * written into the file by a system call. (qemu-riscv64 runs the old code.) */
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

int main(void)
{
    int both = PROT_READ | PROT_WRITE, right = 1;
    char name[] = "/tmp/code_alias.XXXXXX";
    int file = mkstemp(name);
    NEED(file >= 0 && unlink(name) == 0 && ftruncate(file, PAGE) == 0);
    char *writable = mmap(NULL, PAGE, both, MAP_SHARED, file, 0);
    char *executable = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    NEED(writable != MAP_FAILED && executable != MAP_FAILED);
    for (int value = 0; value < 20; value++) {
        write_code(writable, value);
        right &= run_code(executable) == value;
    }
    CHECK(right, "written through another mapping");
    write_code(writable, 21);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        write_code(writable, 22);
        _exit(run_code(executable) == 22 ? 0 : 1);
    }
    join(pid);
    CHECK(run_code(executable) == 22, "written by a child into shared memory");
    unsigned char bytes[8];
    write_code(bytes, 23);
    NEED(pwrite(file, bytes, sizeof bytes, 0) == sizeof bytes);
    CHECK(run_code(executable) == 23, "written into the file by a system call");
    return verdict();
}

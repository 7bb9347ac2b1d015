/* Makes system calls with random numbers and arguments, from a seed.
 *
 * Never run this on a real system: any call may occur. Children make the calls,
 * since many of them end or damage a process; the parent forks another until
 * COUNT calls have been made in all.
 *
 * usage: wild_calls SEED COUNT */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 4096L

static uint64_t state;
static volatile long *made;

static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static char arena[16 * SIZE] __attribute__((aligned(4096)));
static const char *const words[] = {
    "", ".", "..", "/", "/tmp", "/tmp/a", "/tmp/b", "/proc/self/exe", "/proc/self/fd/1", "../..",
    "/proc/self/root", "/dev/zero", "/dev/full", "/etc/passwd", "/nonexistent/file", "a", "b/c",
    "/proc/self/mem", "/proc/1/maps", "/tmp/../../../../etc/shadow", "/granted/a", "/granted/b",
    "/granted/out/file", "/granted/../../outside/file", "/granted/file", "/proc/self/cwd/file",
};

static uint64_t pointer(void)
{
    switch (draw() % 12) {
    case 0: return 0;
    case 1: return (uint64_t)arena + draw() % sizeof arena;
    case 2: return (uint64_t)arena + sizeof arena - draw() % 64;
    case 3: return (uint64_t)words[draw() % (sizeof words / sizeof *words)];
    case 4: return (uint64_t)&state & ~(SIZE - 1);
    case 5: return (1UL << 38) - draw() % (2 * SIZE);
    case 6: return ~draw() % SIZE;
    case 7: return draw() << 32;
    default: return (uint64_t)arena + (draw() % 16) * SIZE;
    }
}

static uint64_t wild(void)
{
    switch (draw() % 10) {
    case 0: return draw();
    case 1: return -(draw() % 200);
    case 2: return 1UL << draw() % 64;
    case 3: return draw() % (1 << 20);
    case 4: return draw() % 64;
    case 5: return (draw() % 32) * SIZE;
    case 6: return 0x7fffffffffffffff - draw() % 2;
    default: return pointer();
    }
}

/* A call on memory whose arguments are often valid: 32 pages of
 * their own, the heap's end, and every flag of mmap that changes what a page is. */
static long memory_call(uint64_t *a)
{
    static const long numbers[] = {222, 222, 222, 215, 226, 216, 233, 227, 232, 214, 63, 63, 64};
    static const int kinds[] = {1, 2, 2, 3};
    static const int flags[] = {0, 0x10, 0x20, 0x100, 0x4000, 0x8000, 0x100000};
    long number = numbers[draw() % (sizeof numbers / sizeof *numbers)];
    uint64_t window = 0x20000000 + draw() % 32 * SIZE, length = draw() % 9 * SIZE;
    uint64_t heap = ((uint64_t)sbrk(0) + SIZE) & -SIZE;
    a[0] = draw() % 6 ? window : heap + draw() % 8 * SIZE - 4 * SIZE;
    a[1] = length;
    a[2] = draw() % 8;
    a[3] = kinds[draw() % 4];
    for (int n = draw() % 4; n > 0; n--)
        a[3] |= flags[draw() % (sizeof flags / sizeof *flags)];
    a[4] = draw() % 3 ? draw() % 12 : 0x20000000 + draw() % 32 * SIZE;
    a[5] = draw() % 4 * SIZE;
    if (number == 233)
        a[2] = draw() % 26;
    if (number == 216) {
        a[2] = draw() % 9 * SIZE;
        a[3] = draw() % 4;
    }
    if (number == 63 || number == 64) {     /* read into it, write from it: no SIGSEGV */
        a[2] = length;
        a[1] = window + draw() % SIZE;
        a[0] = 3 + draw() % 12;
    }
    return number;
}

static long call(long number, const uint64_t *a)
{
    register long a7 asm("a7") = number;
    register uint64_t a0 asm("a0") = a[0], a1 asm("a1") = a[1], a2 asm("a2") = a[2];
    register uint64_t a3 asm("a3") = a[3], a4 asm("a4") = a[4], a5 asm("a5") = a[5];
    asm volatile("ecall"
                 : "+r"(a0)
                 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
                 : "memory");
    return (long)a0;
}

static int skipped(long number, const uint64_t *a)
{
    switch (number) {
    case 93: case 94:          /* exit, exit_group: nothing would be left to ask */
        return draw() % 64 != 0;
    case 101: case 115:        /* sleeping is dull */
    case 133: case 137:        /* so is waiting for a signal */
        return 1;
    case 129: case 130: case 138:   /* kill -1, or the parent: the run would be over */
        return (int)a[0] <= 2;
    case 131: case 240:
        return (int)a[0] <= 2 || (int)a[1] <= 2;
    case 1: case 64: case 66:  /* write to the user's own streams: noise */
        return a[0] <= 2;
    default:
        return 0;
    }
}

static void ask(long until)
{
    signal(SIGALRM, SIG_DFL);
    alarm(5);
    for (int i = 0; i < 400 && *made < until; i++) {
        uint64_t a[6];
        long number = draw() % 8 ? (long)(draw() % 470) : (long)draw();
        for (int n = 0; n < 6; n++)
            a[n] = wild();
        if (draw() % 4 == 0)
            number = memory_call(a);
        if (skipped(number, a))
            continue;
        ++*made;
        call(number, a);
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    state = 0x9e3779b97f4a7c15 ^ strtoull(argv[1], NULL, 0) * 0x2545f4914f6cdd1d;
    long count = strtol(argv[2], NULL, 0), children = 0;
    made = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 1; i < 64; i++)
        signal(i, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    while (*made < count && argc == 3) {
        draw();
        pid_t pid = fork();
        if (pid == 0) {
            setpgid(0, 0);
            ask(count);
        }
        if (pid > 0)
            waitpid(pid, NULL, 0);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
        children++;
    }
    printf("%ld calls by %s\n", *made >= count ? count : *made, children ? "children" : "nobody");
    return 0;
}

/* Do atomic instructions work when their page is still shared?
 *
 * Each instruction is the first to touch its page after the fork: AMOs of both
 * widths, and a pair of load-reserved and store-conditional. The result is
 * right, the old value comes back, and the parent's page keeps its own. N rounds
 * of 12 pages: 12 N copied; the parent only reads. */
#include "check.h"

enum { KINDS = 12 };

#define AMO(instruction, address, operand)                                          \
    ({                                                                              \
        long old_;                                                                  \
        __asm__ volatile(instruction " %0, %2, (%1)"                                \
                         : "=&r"(old_)                                              \
                         : "r"(address), "r"((long)(operand))                       \
                         : "memory");                                               \
        old_;                                                                       \
    })

/* Add with a reservation, as a compare-and-swap loop does; the old value. */
static long reserved_add_d(volatile long *at, long operand)
{
    long old, sum, failed;
    __asm__ volatile("1: lr.d %0, (%3)\n"
                     "   add %1, %0, %4\n"
                     "   sc.d %2, %1, (%3)\n"
                     "   bnez %2, 1b"
                     : "=&r"(old), "=&r"(sum), "=&r"(failed)
                     : "r"(at), "r"(operand)
                     : "memory");
    return old;
}

static long reserved_add_w(volatile int *at, long operand)
{
    long old, sum, failed;
    __asm__ volatile("1: lr.w %0, (%3)\n"
                     "   addw %1, %0, %4\n"
                     "   sc.w %2, %1, (%3)\n"
                     "   bnez %2, 1b"
                     : "=&r"(old), "=&r"(sum), "=&r"(failed)
                     : "r"(at), "r"(operand)
                     : "memory");
    return old;
}

/* One instruction of each kind on a page of its own, which holds 100; how many were wrong. */
static int round_of_all(char *pages)
{
    int wrong = 0;
    long expected[KINDS] = {105, 5, 4, 101, 97, 5, 100, 5, 100, 107, 107, 105};
    long old[KINDS] = {
        AMO("amoadd.d", pages + 0 * PAGE, 5),   AMO("amoswap.d", pages + 1 * PAGE, 5),
        AMO("amoand.d", pages + 2 * PAGE, 5),   AMO("amoor.d", pages + 3 * PAGE, 5),
        AMO("amoxor.d", pages + 4 * PAGE, 5),   AMO("amomin.d", pages + 5 * PAGE, 5),
        AMO("amomax.d", pages + 6 * PAGE, 5),   AMO("amominu.w", pages + 7 * PAGE, 5),
        AMO("amomaxu.w", pages + 8 * PAGE, 5),  reserved_add_d((long *)(pages + 9 * PAGE), 7),
        reserved_add_w((int *)(pages + 10 * PAGE), 7), AMO("amoadd.w", pages + 11 * PAGE, 5),
    };
    for (int kind = 0; kind < KINDS; kind++) {
        wrong += old[kind] != 100;
        wrong += *(volatile long *)(pages + kind * PAGE) != expected[kind];
    }
    return wrong;
}

int main(int argc, char **argv)
{
    size_t rounds = pages_wanted(argc, argv, 4);
    char *memory = new_pages(rounds * KINDS);
    for (size_t page = 0; page < rounds * KINDS; page++)
        *(long *)(memory + page * PAGE) = 100;
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        int wrong = 0;
        for (size_t round = 0; round < rounds; round++)
            wrong += round_of_all(memory + round * KINDS * PAGE);
        CHECK(wrong == 0, "the child's atomic instructions");
        _exit(verdict());
    }
    join(pid);
    int wrong = 0;
    for (size_t page = 0; page < rounds * KINDS; page++)
        wrong += *(volatile long *)(memory + page * PAGE) != 100;
    CHECK(wrong == 0, "the parent's values");
    return verdict();
}

/* What does one store do that lies across two copy-on-write pages?
 *
 * Misaligned stores of 8, 4 and 2 bytes and of a double, at every offset where
 * they straddle a page boundary, in the child and then in the parent. Each lands
 * whole, in both pages, and the other side sees none of it. For each of N pairs
 * of pages the child's first store copies both: 2 N copied, 2 N reused. */
#include "check.h"

#define STORE(instruction, address, value)                                          \
    __asm__ volatile(instruction " %1, 0(%0)" ::"r"(address), "r"(value) : "memory")
#define STORE_DOUBLE(address, value)                                                \
    __asm__ volatile("fsd %1, 0(%0)" ::"r"(address), "f"(value) : "memory")

static const unsigned long VALUE = 0x1122334455667788;

/* Whether a little-endian value of `size` bytes lies at an address, and zeros around it. */
static int holds(const unsigned char *at, int size, unsigned long value)
{
    for (int byte = -8; byte < 16; byte++) {
        int expected = byte < 0 || byte >= size ? 0 : (unsigned char)(value >> (8 * byte));
        if (((volatile const unsigned char *)at)[byte] != expected)
            return 0;
    }
    return 1;
}

/* Store at every straddling offset; how many were wrong. */
static int store_all(char *boundary)
{
    int wrong = 0;
    double number;
    memcpy(&number, &VALUE, sizeof number);
    for (int before = 1; before < 8; before++) {
        char *at = boundary - before;
        STORE("sd", at, VALUE);
        wrong += !holds((unsigned char *)at, 8, VALUE);
        STORE("sd", at, 0UL);
        STORE_DOUBLE(at, number);
        wrong += !holds((unsigned char *)at, 8, VALUE);
        STORE("sd", at, 0UL);
        if (before < 4) {
            STORE("sw", at, VALUE);
            wrong += !holds((unsigned char *)at, 4, VALUE);
            STORE("sw", at, 0UL);
        }
        if (before < 2) {
            STORE("sh", at, VALUE);
            wrong += !holds((unsigned char *)at, 2, VALUE);
            STORE("sh", at, 0UL);
        }
    }
    return wrong;
}

int main(int argc, char **argv)
{
    size_t pairs = pages_wanted(argc, argv, 8);
    char *memory = new_pages(2 * pairs);
    memset(memory, 0, 2 * pairs * PAGE); /* written, so that each has a frame */
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        int wrong = 0;
        for (size_t pair = 0; pair < pairs; pair++)
            wrong += store_all(memory + (2 * pair + 1) * PAGE);
        STORE("sd", memory + PAGE - 3, VALUE); /* left there, for the parent not to see */
        CHECK(wrong == 0, "the child's stores land whole");
        _exit(verdict());
    }
    join(pid);
    CHECK(holds((unsigned char *)memory + PAGE - 3, 0, 0), "the parent sees none of them");
    int wrong = 0;
    for (size_t pair = 0; pair < pairs; pair++)
        wrong += store_all(memory + (2 * pair + 1) * PAGE);
    CHECK(wrong == 0, "the parent's stores land whole");
    return verdict();
}

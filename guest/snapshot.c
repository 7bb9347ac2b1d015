/* Is a child's snapshot unchanged by what its parent stores later, as when a database saves itself?
 *
 * 16 MiB, aligned to 2 MiB. While the child holds them, the parent stores a byte to each 64 KiB. Pages
 * of 4 KiB are copied 256 times; a kernel that copies huge pages whole copies all 16 MiB. */
#include "check.h"

#define HUGE (2UL << 20)
#define SIZE (8 * HUGE)
#define EVERY 65536

static int count(const char *data, char wanted)
{
    int found = 0;
    for (size_t at = 0; at < SIZE; at += PAGE)
        found += data[at] == wanted;
    return found;
}

int main(void)
{
    char *around = mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(around != MAP_FAILED);
    char *data = (char *)(((size_t)around + HUGE - 1) & -HUGE);
    struct gate stored;
    gate_make(&stored);
    for (size_t at = 0; at < SIZE; at += PAGE)
        data[at] = 'a';
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        gate_wait(&stored);
        CHECK(count(data, 'a') == SIZE / PAGE, "the snapshot has all pages as they were");
        return verdict();
    }
    for (size_t at = 0; at < SIZE; at += EVERY)
        data[at] = 'b';
    gate_open(&stored);
    CHECK(status_of(child) == 0, "the child has saved it");
    CHECK(count(data, 'b') == SIZE / EVERY, "the parent has its own bytes");
    return verdict();
}

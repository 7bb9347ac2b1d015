/* Mappings that grow, shrink and move (mremap(2)): what is mapped, and what is in it, after each
   call. */
#include "ask.h"

enum { MOVE = MREMAP_MAYMOVE, FIXED = MREMAP_MAYMOVE | MREMAP_FIXED };
enum { KEEP = MREMAP_MAYMOVE | MREMAP_DONTUNMAP };

/* For each page: the letter in it, `.` when it has none yet, `-` when nothing is mapped. */
static void show(const char *name, char *memory, int count)
{
    char text[65] = "";
    for (int i = 0; i < count; i++) {
        unsigned char there = 0;
        if (mincore(memory + i * PAGE, PAGE, &there))
            text[i] = '-';
        else
            text[i] = !(there & 1) ? '.' : memory[i * PAGE] ? memory[i * PAGE] : '0';
    }
    say("%s: %s\n", name, text);
}

static char *filled(int count, int flags)
{
    char *memory = pages(count, RW, flags);
    for (int i = 0; i < count; i++)
        memory[i * PAGE] = 'a' + i;
    return memory;
}

/* A place for `count` pages where nothing is mapped. */
static char *free_place(int count)
{
    char *place = pages(count, NONE, PRIVATE);
    munmap(place, count * PAGE);
    return place;
}

static void growing(void)
{
    char *memory = filled(4, PRIVATE), *blocked = filled(4, PRIVATE), *shared = filled(4, SHARED);
    mmap(blocked + 4 * PAGE, PAGE, NONE, PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    ASK(mremap(memory, 4 * PAGE, 6 * PAGE, 0) == memory);
    show("grown in place", memory, 8);
    ASK(mremap(memory, 6 * PAGE, 2 * PAGE, 0) == memory);
    show("shrunk", memory, 8);
    ASK(mremap(memory, PAGE, 3 * PAGE, 0));
    ASK(mremap(blocked, 4 * PAGE, 5 * PAGE, 0));
    char *moved = mremap(blocked, 4 * PAGE, 6 * PAGE, MOVE);
    show("moved", moved, 6);
    show("from", blocked, 5);
    ASK(mremap(shared, 4 * PAGE, 6 * PAGE, 0) == shared);
    show("shared memory that grew", shared, 6);
    APART("a store beyond the shared object", shared[5 * PAGE] = 1);
    ASK(mremap(shared, 6 * PAGE, 4 * PAGE, 0) == shared);
    char *twice = mremap(shared, 0, 4 * PAGE, MOVE);
    twice[0] = 'T';
    show("mapped twice", shared, 4);
    ASK(mremap(memory, 0, 2 * PAGE, MOVE));
    ASK(mremap(shared, 0, 2 * PAGE, 0));
    int file = bytes_file(4 * PAGE);
    char *mapped = mmap(NULL, 2 * PAGE, RW, SHARED, file, PAGE);
    mapped[0] = 'f';
    char *larger = mremap(mapped, 2 * PAGE, 3 * PAGE, MOVE);
    show("a file", larger, 3);
    larger = mremap(larger, 3 * PAGE, 4 * PAGE, MOVE);
    show("a file, beyond its end", larger, 3);
    APART("a load beyond the end", say("%d\n", larger[3 * PAGE]));
    char *private = mmap(NULL, 2 * PAGE, RW, PRIVATE, file, 0);
    private[0] = 'p';
    private = mremap(private, 2 * PAGE, 4 * PAGE, MOVE);
    show("a private mapping of it", private, 4);
    char *split = filled(4, PRIVATE);
    mprotect(split + 2 * PAGE, 2 * PAGE, RO);
    ASK(mremap(split, 4 * PAGE, 6 * PAGE, MOVE));
    ASK(mremap(split, 4 * PAGE, 2 * PAGE, MOVE) == split);
    show("shrunk over two mappings", split, 4);
}

static void fixed(void)
{
    char *memory = filled(4, PRIVATE), *target = filled(8, PRIVATE), *place = free_place(16);
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, FIXED, memory));
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, FIXED, memory + PAGE));
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, FIXED, memory - PAGE));
    ASK(mremap(memory, PAGE, 2 * PAGE, FIXED, memory - PAGE));
    ASK(mremap(memory, 4 * PAGE, PAGE, FIXED, memory + 3 * PAGE));
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, FIXED, target + 1));
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, MREMAP_FIXED, target));
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, FIXED, (void *)(1UL << 62)));
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, FIXED, (void *)-PAGE));
    show("as before", memory, 4);
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, FIXED, target + 2 * PAGE) == target + 2 * PAGE);
    show("from", memory, 4);
    show("over others", target, 8);
    ASK(mremap(target, 4 * PAGE, 2 * PAGE, FIXED, place) == place);
    show("moved and cut", place, 4);
    show("from", target, 8);
    ASK(mremap(place, PAGE, 3 * PAGE, FIXED, place + 4 * PAGE) == place + 4 * PAGE);
    show("moved and grown", place, 8);
    ASK(mremap(place + PAGE, PAGE, PAGE, FIXED, place) == place);
    show("next to it", place, 8);
    char *shared = filled(4, SHARED);
    ASK(mremap(shared + PAGE, PAGE, PAGE, FIXED, shared + 3 * PAGE) == shared + 3 * PAGE);
    show("shared", shared, 4);
    ASK(mremap(shared, 0, 2 * PAGE, FIXED, place + 10 * PAGE) == place + 10 * PAGE);
    show("shared twice", place + 10 * PAGE, 2);
    show("and", shared, 4);
}

static void left_mapped(void)
{
    char *memory = filled(4, PRIVATE), *shared = filled(4, SHARED), *place = free_place(8);
    int file = bytes_file(4 * PAGE);
    char *mapped = mmap(NULL, 4 * PAGE, RW, SHARED, file, 0);
    char *copied = mmap(NULL, 4 * PAGE, RW, PRIVATE, file, 0);
    mapped[0] = 'f';
    copied[PAGE] = 'p';
    ASK(mremap(memory, 4 * PAGE, 3 * PAGE, KEEP, NULL));
    ASK(mremap(memory, 4 * PAGE, 5 * PAGE, KEEP, NULL));
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, MREMAP_DONTUNMAP, NULL));
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, KEEP | MREMAP_FIXED, memory));
    char *moved = mremap(memory, 4 * PAGE, 4 * PAGE, KEEP, NULL);
    show("moved", moved, 4);
    show("from", memory, 4);
    memory[PAGE] = 'n';
    say("%d %c %c\n", memory[0], memory[PAGE], moved[PAGE]);
    ASK(mremap(moved + PAGE, 2 * PAGE, 2 * PAGE, KEEP | MREMAP_FIXED, place) == place);
    show("two of them", place, 4);
    show("from", moved, 4);
    moved = mremap(shared, 4 * PAGE, 4 * PAGE, KEEP, NULL);
    show("shared", moved, 4);
    show("from", shared, 4);
    moved[0] = 'N';
    say("%c %c\n", shared[0], shared[PAGE]);
    moved = mremap(mapped, 4 * PAGE, 4 * PAGE, KEEP, NULL);
    say("a file: %c %c\n", moved[0], mapped[0]);
    moved = mremap(copied, 4 * PAGE, 4 * PAGE, KEEP, NULL);
    say("a private mapping: %c, %c; %c, %c\n", moved[0], copied[0], moved[PAGE], copied[PAGE]);
    char *locked = filled(2, PRIVATE);
    mlock(locked, 2 * PAGE);
    moved = mremap(locked, 2 * PAGE, 2 * PAGE, KEEP, NULL);
    ASK(madvise(moved, PAGE, MADV_DONTNEED));
    ASK(madvise(locked, PAGE, MADV_DONTNEED));
    APART("a child", {
        char *later = mremap(place, 2 * PAGE, 2 * PAGE, KEEP, NULL);
        show("in a child", later, 2);
        show("from", place, 2);
    });
    show("its parent", place, 2);
}

static void arguments(void)
{
    char *memory = filled(4, PRIVATE), *place = free_place(8);
    ASK(mremap(memory + 1, PAGE, 2 * PAGE, MOVE));
    ASK(mremap(memory, PAGE, 0, MOVE));
    ASK(mremap(memory, 4 * PAGE, 5 * PAGE, 8));
    ASK(mremap(memory, PAGE, 1UL << 60, MOVE));
    ASK(mremap(memory, -PAGE, PAGE, MOVE));
    ASK(mremap(place, PAGE, 2 * PAGE, MOVE));
    ASK(mremap(place, PAGE, PAGE, MOVE));
    ASK(mremap(memory, 5 * PAGE, 6 * PAGE, MOVE));
    ASK(mremap(memory, 8 * PAGE, 4 * PAGE, 0) == memory);
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, 0) == memory);
    ASK(mremap(memory, 100, 200, 0) == memory);
    ASK(mremap(memory, PAGE, PAGE + 1, 0));
    show("as before", memory, 4);
}

/* Three mappings with different rights, and a hole between the second and the third. */
static char *three_mappings(void)
{
    char *memory = filled(7, PRIVATE);
    mprotect(memory + 2 * PAGE, 2 * PAGE, PROT_READ);
    munmap(memory + 4 * PAGE, PAGE);
    return memory;
}

static void several(void)
{
    char *memory = three_mappings(), *place = free_place(8);
    show("three mappings", memory, 7);
    ASK(mremap(memory, 4 * PAGE, 4 * PAGE, FIXED, place) == place);
    show("two of them, moved", place, 8);
    show("from", memory, 7);
    memory = three_mappings();
    ASK(mremap(memory, 7 * PAGE, 7 * PAGE, FIXED, place) == place);
    show("with the hole", place, 8);
    show("from", memory, 7);
    APART("a store to the read-only one", place[2 * PAGE] = 1);
    memory = three_mappings();
    ASK(mremap(memory + PAGE, 5 * PAGE, 5 * PAGE, FIXED, place) == place);
    show("from within the first to within the last", place, 8);
    show("from", memory, 7);
    memory = three_mappings();
    ASK(mremap(memory + 4 * PAGE, 3 * PAGE, 3 * PAGE, FIXED, place));
    ASK(mremap(memory, 7 * PAGE, 8 * PAGE, FIXED, place));
    ASK(mremap(memory, 7 * PAGE, 6 * PAGE, FIXED, place));
    ASK(mremap(memory, 7 * PAGE, 7 * PAGE, MOVE));
    ASK(mremap(memory, 7 * PAGE, 7 * PAGE, KEEP, place));
    ASK(mremap(memory, 7 * PAGE, 7 * PAGE, KEEP | MREMAP_FIXED, place));
    ASK(mremap(memory, 7 * PAGE, 7 * PAGE, FIXED, memory + 2 * PAGE));
    show("as before", memory, 7);
}

int main(void)
{
    drop_capabilities();
    APART("several", several());
    APART("growing", growing());
    APART("fixed", fixed());
    APART("left mapped", left_mapped());
    APART("arguments", arguments());
}

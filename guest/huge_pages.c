/* Does memory that may be huge pages hold what was stored, through fork and changes of its parts?
 *
 * Only contents: the kernel may map pages of either size. A region of 6 MiB and a heap are advised,
 * forked, cut, moved, discarded and collapsed, on each side of a fork. */
#include <sys/syscall.h>

#include "check.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define HUGE (2UL << 20)
#define PAGES (HUGE / PAGE)

/* Advised memory at a multiple of 2 MiB. */
static char *region(size_t pieces)
{
    char *start = mmap(NULL, (pieces + 1) * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(start != MAP_FAILED);
    start = (char *)(((unsigned long)start + HUGE - 1) & -HUGE);
    NEED(mmap(start, pieces * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
              -1, 0) == start);
    madvise(start, pieces * HUGE, MADV_HUGEPAGE);
    return start;
}

/* Whether the pages hold nothing but zeroes. */
static int clear(const char *memory, size_t count)
{
    for (size_t word = 0; word < count * PAGE / 8; word += 64)
        if (((volatile const long *)memory)[word])
            return 0;
    return 1;
}

static void zeroes(void)
{
    char *at = region(2);
    CHECK(clear(at, 2 * PAGES), "new memory is zero");
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        mark(at + HUGE, 1, 'C');
        CHECK(clear(at, PAGES) && clear(at + HUGE + PAGE, PAGES - 1), "child: beside its own page");
        CHECK(marked(at + HUGE, 1, 'C'), "child: its own page");
        _exit(verdict());
    }
    join(pid);
    CHECK(clear(at, 2 * PAGES), "parent: still zero");
    mark(at + 3 * PAGE, 1, 'P');
    CHECK(clear(at, 3) && marked(at + 3 * PAGE, 1, 'P') && clear(at + 4 * PAGE, PAGES - 4),
          "parent: one page of it");
    NEED(munmap(at, 2 * HUGE) == 0);
}

/* A child changes parts of what it inherited. */
static void change_parts(char *at)
{
    mark(at, 1, 'C');
    mark(at + HUGE - PAGE, 2, 'C');
    CHECK(marked(at + PAGE, PAGES - 2, 'P'), "child: between its own pages");
    NEED(madvise(at + 8 * PAGE, 4 * PAGE, MADV_DONTNEED) == 0);
    CHECK(clear(at + 8 * PAGE, 4) && marked(at + 12 * PAGE, 4, 'P'), "child: discarded pages");
    NEED(mprotect(at + 2 * HUGE, HUGE / 2, PROT_READ) == 0);
    mark(at + 2 * HUGE + HUGE / 2, 4, 'C');
    NEED(mprotect(at + 2 * HUGE, HUGE / 2, PROT_READ | PROT_WRITE) == 0);
    mark(at + 2 * HUGE, 1, 'D');
    CHECK(marked(at + 2 * HUGE, 1, 'D') && marked(at + 2 * HUGE + PAGE, 9, 'P') &&
              marked(at + 2 * HUGE + HUGE / 2, 4, 'C'),
          "child: a part that could only be read");
    NEED(munmap(at + HUGE + 9 * PAGE, 2 * PAGE) == 0);
    CHECK(marked(at + HUGE + 8 * PAGE, 1, 'P') && marked(at + HUGE + 11 * PAGE, 1, 'P'),
          "child: around a hole");
}

static void generations(void)
{
    char *at = region(3);
    mark(at, 3 * PAGES, 'P');
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        change_parts(at);
        pid_t inner = fork();
        NEED(inner >= 0);
        if (inner == 0) {
            CHECK(marked(at, 1, 'C') && clear(at + 8 * PAGE, 4) && marked(at + 2 * HUGE, 1, 'D'),
                  "grandchild: as its parent left it");
            mark(at, 12, 'G');
            _exit(verdict());
        }
        join(inner);
        CHECK(marked(at, 1, 'C') && marked(at + PAGE, 7, 'P'), "child: unchanged");
        _exit(verdict());
    }
    join(pid);
    CHECK(marked(at, 3 * PAGES, 'P'), "parent: all of it");
    mark(at, 3 * PAGES, 'Q');
    CHECK(marked(at, 3 * PAGES, 'Q'), "parent: and new bytes");
    NEED(munmap(at, 3 * HUGE) == 0);
}

static void moves(void)
{
    char *at = region(2), *room = region(4);
    mark(at, PAGES, 'A');
    mark(at + HUGE, PAGES, 'B');
    mark(room, 4 * PAGES, 'X');
    int how = MREMAP_MAYMOVE | MREMAP_FIXED;
    NEED(mremap(at, HUGE, HUGE, how, room) == room);
    CHECK(marked(room, PAGES, 'A') && marked(room + HUGE, 1, 'X'), "moved by whole huge pages");
    char *shifted = room + 2 * HUGE + PAGE;
    NEED(mremap(at + HUGE, HUGE, HUGE, how, shifted) == shifted);
    CHECK(marked(shifted, PAGES, 'B') && marked(shifted - PAGE, 1, 'X') &&
              marked(shifted + HUGE, 1, 'X'),
          "moved by one further page");
    NEED(mremap(room, HUGE, 5 * PAGE, 0) == room);
    CHECK(marked(room, 5, 'A'), "shrunk");
    mark(room, 5, 'a');
    CHECK(marked(room, 5, 'a') && marked(room + HUGE, PAGES, 'X'), "stored to after the moves");
    char *over = room + HUGE + 5 * PAGE;
    NEED(mmap(over, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
              0) == over);
    CHECK(clear(over, 3) && marked(over - PAGE, 1, 'X') && marked(over + 3 * PAGE, 1, 'X'),
          "mapped anew in part");
}

static void collapses(void)
{
    char *at = region(2);
    madvise(at, HUGE, MADV_NOHUGEPAGE);
    for (size_t page = 0; page < PAGES; page += 7)
        mark(at + page * PAGE, 1, 'a' + page % 23);
    madvise(at, HUGE, MADV_HUGEPAGE);
    pid_t pid = fork();
    NEED(pid >= 0);
    int right = 1;
    madvise(at, HUGE, MADV_COLLAPSE);
    for (size_t page = 0; page < PAGES; page++)
        right &= page % 7 ? clear(at + page * PAGE, 1) : marked(at + page * PAGE, 1, 'a' + page % 23);
    if (pid == 0) {
        CHECK(right, "child: after a collapse");
        mark(at, PAGES, 'C');
        CHECK(marked(at, PAGES, 'C'), "child: its own bytes");
        _exit(verdict());
    }
    join(pid);
    CHECK(right && marked(at, 1, 'a'), "parent: after a collapse");
    mark(at + PAGE, 1, 'P');
    CHECK(marked(at, 1, 'a') && marked(at + PAGE, 1, 'P'), "parent: its own bytes");
}

static char *set_break(char *end) { return (char *)syscall(SYS_brk, end); }

static void heap(void)
{
    char *start = set_break(NULL), *end;
    char *first = (char *)(((unsigned long)start + HUGE - 1) & -HUGE);
    end = first + 2 * HUGE;
    NEED(set_break(end) == end);
    madvise(first, 2 * HUGE, MADV_HUGEPAGE);
    mark(first, 2 * PAGES, 'H');
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(set_break(first + HUGE + 3 * PAGE) == first + HUGE + 3 * PAGE);
        mark(first, 1, 'C');
        NEED(set_break(end) == end);
        CHECK(marked(first + PAGE, PAGES + 2, 'H'), "child: the heap that remained");
        CHECK(clear(first + HUGE + 3 * PAGE, PAGES - 3), "child: the heap that is new is zero");
        _exit(verdict());
    }
    join(pid);
    CHECK(marked(first, 2 * PAGES, 'H'), "parent: its heap");
}

static void by_the_kernel(void)
{
    char *at = region(1);
    int ends[2];
    NEED(pipe(ends) == 0);
    mark(at, PAGES, 'P');
    pid_t pid = fork();
    NEED(pid >= 0);
    NEED(write(ends[1], "abcd", 4) == 4);
    if (pid == 0) {
        NEED(read(ends[0], at + 5 * PAGE - 2, 4) == 4);
        CHECK(memcmp(at + 5 * PAGE - 2, "abcd", 4) == 0, "child: what read(2) stored");
        _exit(verdict());
    }
    join(pid);
    CHECK(marked(at, PAGES, 'P'), "parent: not what the child read");
}

int main(void)
{
    zeroes();
    generations();
    moves();
    collapses();
    heap();
    by_the_kernel();
    return verdict();
}

/* Can mprotect open a hole between two sides of a fork?
 *
 * Pages shared copy-on-write lose every permission and get them back, in the
 * child and then in the parent, and so do pages that were read-only at the fork:
 * the first write still gets a page of its own. The parent writes while the child
 * lives: 2 N copied; then the child takes over: 2 N reused.
 *
 * A call that fails has changed what lies below the first page it can't change. */
#include "check.h"

#include <fcntl.h>

/* Whether the kernel can store to the page; qemu hangs where it holds a page for
 * writable and the program stores to it in vain. */
static int open_page(char *page)
{
    static struct gate gate;
    if (!gate.ends[1])
        gate_make(&gate);
    gate_open(&gate);
    if (read(gate.ends[0], page, 1) == 1)
        return 1;
    NEED(errno == EFAULT);
    gate_wait(&gate);
    return 0;
}

static int fails(char *memory, size_t count, int rights, int error)
{
    return mprotect(memory, count * PAGE, rights) == -1 && errno == error;
}

/* Another's page in the place of one; it may be read only. */
static void map_sealed(char *page)
{
    char name[] = "/tmp/protect.XXXXXX";
    int file = mkstemp(name), sealed = open(name, O_RDONLY);
    NEED(file >= 0 && sealed >= 0 && unlink(name) == 0 && ftruncate(file, PAGE) == 0);
    NEED(mmap(page, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, sealed, 0) == page);
}

static void fail_half_way(void)
{
    char *memory = new_pages(4), *hole = memory + 2 * PAGE;
    mark(memory, 4, 'M');
    NEED(munmap(hole, PAGE) == 0);
    CHECK(fails(hole, 2, PROT_READ, ENOMEM), "a hole, and a page: ENOMEM");
    CHECK(open_page(hole + PAGE), "nothing has changed");
    CHECK(fails(memory + PAGE, 3, PROT_READ, ENOMEM), "a page, a hole, and a page: ENOMEM");
    CHECK(open_page(memory) && !open_page(hole - PAGE) && open_page(hole + PAGE),
          "what lies below the hole has changed");
    map_sealed(hole);
    NEED(mprotect(memory, 4 * PAGE, PROT_READ) == 0);
    CHECK(fails(hole, 2, PROT_READ | PROT_WRITE, EACCES), "a read-only file: EACCES");
    CHECK(!open_page(hole) && !open_page(hole + PAGE), "nothing has changed");
    CHECK(fails(memory + PAGE, 3, PROT_READ | PROT_WRITE, EACCES), "and a page below: EACCES");
    hole[-1] = 'S';
    CHECK(!open_page(memory) && hole[-1] == 'S' && !open_page(hole) && !open_page(hole + PAGE),
          "what lies below the file has changed");
}

static void toggle(char *memory, size_t count)
{
    NEED(mprotect(memory, count * PAGE, PROT_NONE) == 0);
    NEED(mprotect(memory, count * PAGE, PROT_READ) == 0);
    NEED(mprotect(memory, count * PAGE, PROT_READ | PROT_WRITE) == 0);
}

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 8);
    char *open = new_pages(count), *sealed = new_pages(count);
    struct gate to_child, to_parent;
    gate_make(&to_child);
    gate_make(&to_parent);
    mark(open, count, 'P');
    mark(sealed, count, 'P');
    NEED(mprotect(sealed, count * PAGE, PROT_READ) == 0);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        toggle(open, count);
        toggle(sealed, count);
        gate_open(&to_parent);
        gate_wait(&to_child);
        CHECK(marked(open, count, 'P') && marked(sealed, count, 'P'), "child: as at the fork");
        mark(open, count, 'C');
        mark(sealed, count, 'C');
        CHECK(marked(open, count, 'C') && marked(sealed, count, 'C'), "child: its own writes");
        _exit(verdict());
    }
    gate_wait(&to_parent);
    toggle(open, count);
    toggle(sealed, count);
    mark(open, count, 'Q');
    mark(sealed, count, 'Q');
    gate_open(&to_child);
    join(pid);
    CHECK(marked(open, count, 'Q') && marked(sealed, count, 'Q'), "parent: its own writes");
    fail_half_way();
    return verdict();
}

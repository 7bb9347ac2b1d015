/* Programs that ask Linux for its counts: each line of output is a step and what the system says
   about it. The same source is compiled for this host and for the guest, and all lines are
   compared: print no addresses, process ids or times. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL

static const char *who = "parent"; /* name of this process in the output */
static char text[1 << 16];         /* of a file in /proc */
static char line[1 << 12];
static char folder[] = "/dev/shm/oracle.XXXXXX";

/* Prints a line at once, so that a child does not inherit it in a buffer. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = snprintf(line, sizeof line, "%s: ", who);
    length += vsnprintf(line + length, sizeof line - length - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    if (write(1, line, length) != length)
        _exit(99);
}

__attribute__((noreturn)) static void fail(const char *what)
{
    say("%s failed: %s", what, strerror(errno));
    _exit(98);
}

/* Reads a file of /proc into `text`; returns its length. */
static long slurp(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        fail(path);
    long length = 0, got;
    while ((got = read(fd, text + length, sizeof text - 1 - length)) > 0)
        length += got;
    close(fd);
    text[length] = 0;
    return length;
}

/* Makes a folder in memory for files, and enters it. */
__attribute__((unused)) static void enter_folder(void)
{
    if (!mkdtemp(folder) || chdir(folder))
        fail(folder);
}

__attribute__((unused)) static void leave_folder(void)
{
    chdir("/");
    rmdir(folder);
}

/* A region for the steps: pages that no neighbour can merge with. */
static char *regions[64];
static unsigned long region_sizes[64];
static int region_count;

__attribute__((unused)) static char *region_of(unsigned long pages, int prot, int flags, int fd,
                                               unsigned long offset)
{
    unsigned long size = pages * PAGE;
    char *around = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (around == MAP_FAILED)
        fail("mmap");
    char *start = mmap(around + PAGE, size, prot, flags | MAP_FIXED, fd, offset);
    if (start == MAP_FAILED)
        fail("mmap");
    regions[region_count] = start;
    region_sizes[region_count++] = size;
    return start;
}

__attribute__((unused)) static char *anonymous(unsigned long pages)
{
    return region_of(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long minor_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static int is_in_region(unsigned long start, unsigned long end)
{
    for (int n = 0; n < region_count; n++)
        if (start < (unsigned long)regions[n] + region_sizes[n] && end > (unsigned long)regions[n])
            return 1;
    return 0;
}

static volatile char sink;

/* Touches every page of the program itself, so that a step's faults are those of its region. A
   child of fork must do it anew. */
__attribute__((unused)) static void settle(void)
{
    volatile char stack[64 << 10];
    for (unsigned long n = 0; n < sizeof stack; n += PAGE)
        stack[n] = 1;
    slurp("/proc/self/maps");
    for (char *row = text; *row; row = strchr(row, '\n') + 1) {
        unsigned long start, end;
        char rights[5];
        sscanf(row, "%lx-%lx %4s", &start, &end, rights);
        char *stop = strchr(row, '\n');
        int special = memmem(row, stop - row, "[v", 2) != NULL; /* [vdso], [vvar], [vsyscall] */
        if (rights[0] != 'r' || special || is_in_region(start, end))
            continue;
        for (unsigned long page = start; page < end; page += PAGE) {
            volatile char *byte = (volatile char *)page;
            if (rights[1] == 'w')
                *byte = *byte;
            else
                sink = *byte;
        }
    }
    minor_faults();
}

/* The number in kB of a field in a record of smaps, 0 without one. */
__attribute__((unused)) static long field(const char *record, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\n%s:", name);
    const char *at = strstr(record, key);
    return at ? strtol(at + strlen(key), NULL, 10) : 0;
}

/* The record of smaps of the mapping at `address`, in `text`; NULL when there is none. */
__attribute__((unused)) static char *smaps(const void *address)
{
    slurp("/proc/self/smaps");
    char key[32];
    snprintf(key, sizeof key, "%08lx-", (unsigned long)address);
    for (char *row = text; row && *row; row = strchr(row, '\n'), row = row ? row + 1 : row)
        if (!strncmp(row, key, strlen(key))) {
            char *flags = strstr(row, "\nVmFlags:");
            if (flags)
                *strchr(flags + 1, '\n') = 0;
            return row;
        }
    return NULL;
}

/* Prints the fields of the mapping at `address` that are not 0. */
__attribute__((unused)) static void show(const char *step, const void *address)
{
    static const char *names[] = {
        "Rss", "Pss", "Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean",
        "Private_Dirty", "Referenced", "Anonymous", "KSM", "AnonHugePages",
        "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap",
        "SwapPss", "Locked",
    };
    static char fields[1024];
    const char *record = smaps(address);
    int length = 0;
    if (!record) {
        say("%s: not mapped", step);
        return;
    }
    for (unsigned n = 0; n < sizeof names / sizeof *names; n++)
        if (field(record, names[n]))
            length += snprintf(fields + length, sizeof fields - length, " %s %ld", names[n],
                               field(record, names[n]));
    say("%s:%s", step, length ? fields : " nothing");
}

/* Does one step: prints the minor faults that it took, and what smaps says afterwards. */
#define STEP(name, address, action)                                  \
    do {                                                             \
        long faults_before = minor_faults();                         \
        action;                                                      \
        say(name ": %ld faults", minor_faults() - faults_before);    \
        show(name, address);                                         \
    } while (0)

/* Runs `body` in a child named `child`, and waits for it. */
#define CHILD(child, body)                                           \
    do {                                                             \
        pid_t pid_of_child = fork();                                 \
        if (!pid_of_child) {                                         \
            who = child;                                             \
            settle();                                                \
            body;                                                    \
            _exit(0);                                                \
        }                                                            \
        await(pid_of_child);                                         \
        settle();                                                    \
    } while (0)

__attribute__((unused)) static void await(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid)
        fail("waitpid");
    if (status)
        say("the child ended with status %#x", status);
}

/* Loads from or stores to each of `count` pages, `stride` pages apart. */
__attribute__((unused)) static void load_pages(const char *at, int count, int stride)
{
    for (int n = 0; n < count; n++)
        sink = *(volatile const char *)(at + n * stride * PAGE);
}

__attribute__((unused)) static void store_pages(char *at, int count, int stride)
{
    for (int n = 0; n < count; n++)
        *(volatile char *)(at + n * stride * PAGE) = 1;
}

/* System calls with their results: each line of output is the source text of a call and what it
   returned. The same source is compiled for this host and for the guest, and all lines are
   compared: print no addresses, process ids or times. Guests have no capabilities, so as root a
   program first becomes a user who has none either. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define NOWHERE ((void *)0x10) /* nothing is mapped there */

enum {
    NONE = PROT_NONE,
    RO = PROT_READ,
    RW = PROT_READ | PROT_WRITE,
    PRIVATE = MAP_PRIVATE,
    SHARED = MAP_SHARED,
};

/* Prints the source text of the call, and `ok` or the errno; with VALUE, the result. */
#define ASK(call) print_result(#call, (long)(call), 0)
#define VALUE(call) print_result(#call, (long)(call), 1)
/* Evaluates the lines in a child, whose changes are lost; prints the signal that killed it. */
#define APART(name, lines...)                        \
    do {                                             \
        say("%s:\n", name);                          \
        pid_t child = fork();                        \
        if (!child) {                                \
            lines;                                   \
            _exit(0);                                \
        }                                            \
        end_of(name, child);                         \
    } while (0)

/* Prints in one write, so that a child inherits nothing in a buffer. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (write(1, text, length) != length)
        _exit(99);
}

static inline void print_result(const char *call, long result, int number)
{
    if (result == -1)
        say("%s: %s\n", call, strerrorname_np(errno));
    else if (number)
        say("%s: %ld\n", call, result);
    else
        say("%s: ok\n", call);
    errno = 0;
}

static inline void end_of(const char *name, pid_t child)
{
    int status = 0;
    if (child < 0) {
        say("%s: fork: %s\n", name, strerrorname_np(errno));
        return;
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        say("%s: SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        say("%s: exit %d\n", name, WEXITSTATUS(status));
}

/* Pages far from other mappings, with nothing mapped on either side. */
static inline char *pages(int count, int prot, int flags)
{
    static char *at = (char *)(1UL << 37);
    char *here = at += 64 * PAGE;
    at += count * PAGE;
    return mmap(here, count * PAGE, prot, flags | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

/* An unnamed file in memory with `size` bytes that are not zero. */
static inline int bytes_file(size_t size)
{
    int file = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
    char block[PAGE];
    memset(block, 'x', sizeof block);
    for (size_t at = 0; at < size; at += PAGE)
        if (pwrite(file, block, size - at < PAGE ? size - at : PAGE, at) < 0)
            abort();
    return file;
}

static inline int set_limit(int resource, unsigned long soft)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit))
        return -1;
    limit.rlim_cur = soft;
    return setrlimit(resource, &limit);
}

/* Becomes a user without capabilities. A guest is one already, and may not change its ids. */
static inline void drop_capabilities(void)
{
    if (!getuid()) {
        syscall(SYS_setgroups, 0, NULL);
        syscall(SYS_setresgid, 65534, 65534, 65534);
        syscall(SYS_setresuid, 65534, 65534, 65534);
    }
}

/* A number in kB of /proc/self/status, such as that of "VmLck:"; -1 if there is no such line. */
static inline long status_kb(const char *name)
{
    static char text[8192];
    int file = open("/proc/self/status", O_RDONLY);
    long length = read(file, text, sizeof text - 1);
    close(file);
    text[length < 0 ? 0 : length] = 0;
    char *found = strstr(text, name);
    return found ? atol(found + strlen(name)) : -1;
}

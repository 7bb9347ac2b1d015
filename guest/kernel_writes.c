/* When the kernel itself writes into a shared page, is the other side safe?
 *
 * The child lets system calls write into pages it shares with its parent: one
 * read(2) over N pages (N copied), then one page for each of a dozen calls. The
 * parent still sees its own letters everywhere. */
#include "check.h"

#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>


enum { CALLS = 13 };

/* Each call gets a page, and writes near its end. */
static void *place(char *pages, int which)
{
    return pages + which * PAGE + 2048;
}

static int child(char *memory, size_t count, char *pages, int file)
{
    int which = 0;
    CHECK(read(file, memory, count * PAGE) == (ssize_t)(count * PAGE), "read over many pages");
    for (size_t at = 0; at < count * PAGE; at++)
        NEED(memory[at] == (char)(at % 251));

    int *fds = place(pages, which++);
    CHECK(pipe(fds) == 0 && fds[0] != fds[1], "pipe");

    int *status = place(pages, which++);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0)
        _exit(5);
    CHECK(waitpid(pid, status, 0) == pid && WEXITSTATUS(*status) == 5, "waitpid's status");

    struct utsname *name = place(pages, which++);
    CHECK(uname(name) == 0 && strcmp(name->machine, "riscv64") == 0, "uname");

    struct timespec *now = place(pages, which++);
    CHECK(clock_gettime(CLOCK_MONOTONIC, now) == 0 && now->tv_nsec < 1000000000, "clock_gettime");

    struct timeval *day = place(pages, which++);
    CHECK(gettimeofday(day, NULL) == 0 && day->tv_usec < 1000000, "gettimeofday");

    unsigned char *random = place(pages, which++);
    memset(random, 'P', 64); /* this page is copied before the call */
    CHECK(getrandom(random, 64, 0) == 64 && memcmp(random, random + 32, 32), "getrandom");

    struct stat *about = place(pages, which++);
    CHECK(fstat(file, about) == 0 && about->st_size == (off_t)(count * PAGE), "fstat");

    char *folder = place(pages, which++);
    CHECK(chdir("/tmp") == 0 && getcwd(folder, 100) == folder && !strcmp(folder, "/tmp"), "getcwd");

    struct sigaction *action = place(pages, which++);
    CHECK(sigaction(SIGUSR1, NULL, action) == 0 && action->sa_handler == SIG_DFL, "sigaction");

    sigset_t *mask = place(pages, which++);
    CHECK(sigprocmask(SIG_SETMASK, NULL, mask) == 0 && !sigismember(mask, SIGUSR1), "sigprocmask");

    struct rlimit *limit = place(pages, which++);
    CHECK(getrlimit(RLIMIT_NOFILE, limit) == 0 && limit->rlim_cur > 10, "getrlimit");

    struct pollfd *ready = place(pages, which++);
    *ready = (struct pollfd){.fd = fds[1], .events = POLLOUT};
    CHECK(poll(ready, 1, 0) == 1 && ready->revents == POLLOUT, "poll");

    char *scattered = place(pages, which++);
    struct iovec parts[] = {{scattered, 3}, {scattered + 2040, 20}}; /* over the end of the page */
    NEED(write(fds[1], "abcdefgh", 8) == 8);
    CHECK(readv(fds[0], parts, 2) == 8 && !memcmp(scattered, "abc", 3) &&
              !memcmp(scattered + 2040, "defgh", 5), "readv");
    NEED(which == CALLS);
    return verdict();
}

int main(int argc, char **argv)
{
    size_t count = pages_wanted(argc, argv, 16);
    char *memory = new_pages(count);
    char *pages = new_pages(CALLS + 1);
    char name[] = "/tmp/kernel_writes.XXXXXX";
    int file = mkstemp(name);
    NEED(file >= 0 && unlink(name) == 0);
    for (size_t at = 0; at < count * PAGE; at++)
        memory[at] = (char)(at % 251);
    NEED(write(file, memory, count * PAGE) == (ssize_t)(count * PAGE));
    NEED(lseek(file, 0, SEEK_SET) == 0);
    memset(memory, 'P', count * PAGE);
    memset(pages, 'P', (CALLS + 1) * PAGE);

    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0)
        _exit(child(memory, count, pages, file));
    join(pid);
    size_t wrong = 0;
    for (size_t at = 0; at < count * PAGE; at++)
        wrong += memory[at] != 'P';
    for (size_t at = 0; at < (CALLS + 1) * PAGE; at++)
        wrong += pages[at] != 'P';
    CHECK(wrong == 0, "the parent's pages are as they were");
    return verdict();
}

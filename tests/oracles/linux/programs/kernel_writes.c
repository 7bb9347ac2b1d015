/* The kernel's own stores to private memory: does each system call break copy-on-write, or fill a
   page, like a store of the program? */
#include "oracle.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#define CALLS 24
#define PAGES (CALLS + 8)

static int ends[2], sockets[2];
static char *at; /* page n is written by call n */

static void *page(int n)
{
    return at + n * PAGE;
}

static void *straddling(int n) /* the last 8 bytes of page n, and on to page n + 1 */
{
    return at + (n + 1) * PAGE - 8;
}

#define CALL(n, number, arguments...)                                  \
    do {                                                               \
        long faults_before = minor_faults();                           \
        long result = syscall(number, arguments);                      \
        long taken = minor_faults() - faults_before;                   \
        say(#number ": %ld faults, %s", taken, result < 0 ? strerrorname_np(errno) : "ok"); \
    } while (0)

static void do_calls(void)
{
    struct iovec two[2] = {{page(3), 16}, {page(4), 16}};
    struct msghdr message = {.msg_iov = &(struct iovec){page(17), 8}, .msg_iovlen = 1};
    struct timespec none = {0, 0};
    struct pollfd *polled = page(11);
    stack_t *alternate = page(13);
    static char bytes[64];
    write(ends[1], bytes, sizeof bytes);
    send(sockets[1], "message", 8, 0);
    CALL(0, SYS_read, ends[0], page(0), 8);
    CALL(1, SYS_read, ends[0], straddling(1), 16);
    CALL(3, SYS_readv, ends[0], two, 2);
    CALL(5, SYS_getcwd, page(5), 256);
    CALL(6, SYS_uname, page(6));
    CALL(7, SYS_sysinfo, page(7));
    CALL(8, SYS_times, page(8));
    CALL(9, SYS_getrandom, page(9), 32, 0);
    CALL(10, SYS_clock_gettime, CLOCK_MONOTONIC, page(10));
    polled->fd = ends[1];
    polled->events = POLLOUT;
    CALL(11, SYS_ppoll, polled, 1, &none, NULL, 8);
    CALL(12, SYS_rt_sigprocmask, SIG_BLOCK, NULL, page(12), 8);
    CALL(13, SYS_sigaltstack, NULL, alternate);
    CALL(14, SYS_pipe2, page(14), 0);
    CALL(15, SYS_sched_getaffinity, 0, PAGE, page(15));
    CALL(16, SYS_fstat, 0, page(16));
    CALL(17, SYS_recvmsg, sockets[0], &message, 0);
    CALL(18, SYS_readlinkat, AT_FDCWD, "/proc/self/exe", page(18), 64);
    CALL(19, SYS_mincore, at, 4 * PAGE, page(19));
    CALL(20, SYS_getrusage, RUSAGE_SELF, page(20));
    CALL(21, SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, page(21));
    CALL(22, SYS_rt_sigpending, page(22), 8);
    CALL(23, SYS_read, ends[0], NULL, 8);
    if (close(((int *)page(14))[0]) || close(((int *)page(14))[1]))
        fail("close");
}

/* Reads of the kernel: they fill no page and break no sharing. */
static void do_reads(void)
{
    CALL(0, SYS_write, ends[1], page(0), 64);
    CALL(1, SYS_write, ends[1], straddling(1), 16);
    CALL(2, SYS_sendto, sockets[1], page(3), 8, 0, NULL, 0);
    CALL(3, SYS_openat, AT_FDCWD, page(4), O_RDONLY);
    CALL(4, SYS_rt_sigprocmask, SIG_UNBLOCK, page(5), NULL, 8);
}

static void fresh(void)
{
    at = anonymous(PAGES);
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets))
        fail("pipe");
}

static void done(void)
{
    munmap(at, PAGES * PAGE);
    close(ends[0]);
    close(ends[1]);
    close(sockets[0]);
    close(sockets[1]);
}

int main(void)
{
    chdir("/");
    settle();
    fresh();
    who = "warm-up";
    do_calls();
    done();

    who = "untouched pages";
    fresh();
    do_calls();
    show("afterwards", at);
    done();

    who = "zero pages";
    fresh();
    load_pages(at, PAGES, 1);
    do_calls();
    show("afterwards", at);
    done();

    who = "reads of untouched pages";
    fresh();
    do_reads();
    show("afterwards", at);
    done();

    who = "parent";
    fresh();
    store_pages(at, PAGES, 1);
    CHILD("pages of a fork", {
        do_reads();
        show("after reads", at);
        do_calls();
        show("afterwards", at);
    });
    do_calls();
    show("reused", at);
    done();
}

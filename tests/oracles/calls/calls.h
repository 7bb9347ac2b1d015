/* Tests of single system calls: each line of output is a call and its result. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Constants that older C libraries lack. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

#define PAGE 4096UL
#define NOWHERE ((void *)0x10)     /* nothing is mapped there */
#define BEYOND ((void *)(1UL << 62)) /* not a user address on any machine */

/* Calls that the C library might modify. */
#define CALL(name, arguments...) syscall(SYS_##name, arguments)

/* Prints the source text of the call, and `ok` or the errno; with VALUE, the result. */
#define ASK(call) print_result(#call, (long)(call), 0)
#define VALUE(call) print_result(#call, (long)(call), 1)
/* The same in a child, whose changes are lost; also prints the signal that killed it. */
#define APART(call) apart(#call, ({ pid_t child = fork(); if (!child) { errno = 0; long got = (long)(call); _exit(got == -1 ? errno : 0); } child; }))

static inline void print_result(const char *call, long result, int number)
{
    if (result == -1)
        printf("%s: %s\n", call, strerrorname_np(errno));
    else if (number)
        printf("%s: %ld\n", call, result);
    else
        printf("%s: ok\n", call);
    fflush(stdout);
    errno = 0;
}

static inline void apart(const char *call, pid_t child)
{
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        printf("%s: SIG%s\n", call, sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        printf("%s: %s\n", call, strerrorname_np(WEXITSTATUS(status)));
    else
        printf("%s: ok\n", call);
    fflush(stdout);
}

/* An address far from other mappings, with nothing mapped on either side. */
static inline char *pages(int count, int prot, int flags)
{
    static char *at = (char *)(1UL << 37);
    at += 64 * PAGE;
    return mmap(at, count * PAGE, prot, flags | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static inline int bytes_file(size_t size)
{
    int file = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
    if (ftruncate(file, size))
        abort();
    return file;
}

/* Drops root's rights: operations that need them are tested by programs that define AS_ROOT. */
#ifndef AS_ROOT
#define AS_ROOT 0
#endif
__attribute__((constructor)) static void begin(void)
{
    if (!AS_ROOT && !getuid() && setresuid(65534, 65534, 65534))
        errno = 0;
    prctl(PR_SET_DUMPABLE, 1); /* cleared by the change of the user id */
    umask(022);
}

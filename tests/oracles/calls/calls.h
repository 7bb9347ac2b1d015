/* Questions about single system calls: each line of output is a call and what came of it. */
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

/* What older C libraries do not name. */
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
#define BEYOND ((void *)(1UL << 62)) /* no user address of any machine */

/* What the C library might not hand over as it is. */
#define CALL(name, arguments...) syscall(SYS_##name, arguments)

/* Prints the call as it is written, and `ok` or the errno; or, with VALUE, its number. */
#define ASK(call) said(#call, (long)(call), 0)
#define VALUE(call) said(#call, (long)(call), 1)
/* The same in a child, with the signal that ended it, so that nothing of it stays. */
#define APART(call) apart(#call, ({ pid_t child = fork(); if (!child) { errno = 0; long got = (long)(call); _exit(got == -1 ? errno : 0); } child; }))

static inline void said(const char *call, long result, int number)
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

/* Far from what else is mapped, and with nothing on either side. */
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

/* As anybody but root: what only root may do is not asked for. */
__attribute__((constructor)) static void begin(void)
{
    if (!getuid() && setresuid(65534, 65534, 65534))
        errno = 0;
    prctl(PR_SET_DUMPABLE, 1); /* which another user's id had ended */
    umask(022);
}

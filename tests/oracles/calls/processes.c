/* Processes and threads, signals, waiting, futex(2). */
#include "calls.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/time.h>

/* Result of clone in the parent; the child exits at once. */
#define CLONE(flags) born(CALL(clone, (long)(flags), 0L, NULL, NULL, NULL))

static long born(long child)
{
    if (!child)
        _exit(3);
    return child;
}

static void waits(void)
{
    int status;
    siginfo_t info;
    static const unsigned OPTIONS[] = {
        0, WNOHANG, WUNTRACED, WEXITED, WCONTINUED, 0x10, WNOWAIT, 0x2000000, __WNOTHREAD, __WALL,
        __WCLONE, __WALL | __WCLONE,
    };
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        long result = CALL(wait4, -1, NULL, OPTIONS[i] | WNOHANG, NULL);
        printf("wait4 %#x, no child: %s\n", OPTIONS[i], result ? strerrorname_np(errno) : "0");
        result = CALL(waitid, P_ALL, 0, NULL, OPTIONS[i] | WNOHANG, NULL);
        printf("waitid %#x, no child: %s\n", OPTIONS[i], result ? strerrorname_np(errno) : "0");
        result = CALL(waitid, P_ALL, 0, NULL, OPTIONS[i] | WEXITED | WNOHANG, NULL);
        printf("waitid %#x, to end: %s\n", OPTIONS[i], result ? strerrorname_np(errno) : "0");
    }
    ASK(CALL(wait4, (long)INT32_MIN, NULL, 0, NULL));
    ASK(CALL(wait4, 99999, NULL, 0, NULL));
    ASK(CALL(waitid, 9, 0, NULL, WEXITED, NULL));
    ASK(CALL(waitid, P_PID, 0, NULL, WEXITED, NULL));
    ASK(CALL(waitid, P_PID, -1, NULL, WEXITED, NULL));
    ASK(CALL(waitid, P_PGID, -1, NULL, WEXITED, NULL));
    ASK(CALL(waitid, P_PGID, 0, NULL, WEXITED, NULL));
    ASK(CALL(waitid, P_PIDFD, -1, NULL, WEXITED, NULL));
    ASK(CALL(waitid, P_PIDFD, 0, NULL, WEXITED, NULL));
    /* A child with SIGCHLD as its exit signal, and one without a signal. */
    long ordinary = CLONE(SIGCHLD);
    ASK(CALL(wait4, ordinary, &status, __WCLONE, NULL));
    ASK(CALL(waitid, P_PID, ordinary, &info, WEXITED | __WCLONE, NULL));
    VALUE(CALL(waitid, P_PID, ordinary, &info, WEXITED | WNOWAIT, NULL) + info.si_status);
    VALUE(CALL(wait4, ordinary, &status, __WCLONE | __WALL, NULL) == ordinary);
    long quiet = CLONE(0);
    ASK(CALL(wait4, quiet, &status, 0, NULL));
    VALUE(CALL(wait4, quiet, &status, __WCLONE, NULL) == quiet);
    quiet = CLONE(0);
    VALUE(CALL(wait4, -1, &status, __WALL | __WNOTHREAD, NULL) == quiet);
    long bad = CLONE(SIGCHLD);
    ASK(CALL(wait4, bad, NOWHERE, 0, NULL));
    ASK(CALL(wait4, bad, &status, 0, NULL));
    bad = CLONE(SIGCHLD);
    ASK(CALL(waitid, P_PID, bad, NOWHERE, WEXITED, NULL));
    ASK(CALL(waitid, P_PID, bad, &info, WEXITED, NULL));
}

static void cloning(void)
{
    ASK(CLONE(SIGCHLD));
    ASK(CLONE(65));
    ASK(CLONE(CLONE_SIGHAND | SIGCHLD));
    ASK(CLONE(CLONE_THREAD | CLONE_VM | SIGCHLD));
    ASK(CLONE(CLONE_THREAD | CLONE_SIGHAND));
    ASK(CLONE(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD));
    ASK(CLONE(CLONE_PIDFD | CLONE_DETACHED | SIGCHLD));
    ASK(CLONE(CLONE_DETACHED | CLONE_UNTRACED | CLONE_IO | CLONE_SYSVSEM | SIGCHLD));
    ASK(CLONE(CLONE_FS | CLONE_NEWNS | SIGCHLD));
    ASK(CLONE(CLONE_FS | CLONE_NEWUSER | SIGCHLD));
    ASK(CLONE(CLONE_FS | CLONE_FILES | SIGCHLD));
    ASK(CLONE(CLONE_PTRACE | SIGCHLD));
    ASK(CLONE(CLONE_VFORK | SIGCHLD));
    while (waitpid(-1, NULL, __WALL) > 0)
        ;
    struct { uint64_t flags, pidfd, child, parent, signal, stack, size, tls, set, count, group, more; }
        args = {.signal = SIGCHLD};
    ASK(born(CALL(clone3, &args, 63)));
    ASK(born(CALL(clone3, &args, 64)));
    ASK(born(CALL(clone3, &args, 96)));
    args.more = 1;
    ASK(born(CALL(clone3, &args, 96)));
    ASK(born(CALL(clone3, &args, 5000)));
    ASK(born(CALL(clone3, NOWHERE, 64)));
    args.more = 0, args.signal = 65;
    ASK(born(CALL(clone3, &args, 64)));
    args.signal = 0, args.flags = SIGCHLD;
    ASK(born(CALL(clone3, &args, 64)));
    args.flags = CLONE_DETACHED;
    ASK(born(CALL(clone3, &args, 64)));
    args.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, args.signal = SIGCHLD;
    ASK(born(CALL(clone3, &args, 64)));
    args.flags = CLONE_PARENT, args.signal = SIGCHLD;
    ASK(born(CALL(clone3, &args, 64)));
    args.flags = 0, args.stack = 4096, args.size = 0;
    ASK(born(CALL(clone3, &args, 64)));
    args.stack = 0, args.size = 4096;
    ASK(born(CALL(clone3, &args, 64)));
    args.size = 0, args.flags = 1UL << 40;
    ASK(born(CALL(clone3, &args, 64)));
    args.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM;
    ASK(born(CALL(clone3, &args, 64)));
    args.flags = CLONE_CLEAR_SIGHAND;
    ASK(born(CALL(clone3, &args, 64)));
    while (waitpid(-1, NULL, __WALL) > 0)
        ;
    ASK(CALL(close_range, 5, 4, 0));
    ASK(CALL(close_range, 500, 600, 8));
    ASK(CALL(close_range, 500, 600, 2));
    ASK(CALL(close_range, 500, ~0U, 4));
    ASK(CALL(set_robust_list, NULL, 8L));
    ASK(CALL(set_robust_list, NULL, 24L));
    ASK(CALL(setpgid, -1, 0));
    ASK(CALL(setpgid, 0, -1));
    ASK(CALL(setpgid, 99999, 0));
    ASK(CALL(setpgid, 0, 99999));
    ASK(CALL(getpgid, -1));
    ASK(CALL(getsid, 99999));
    ASK(CALL(execveat, AT_FDCWD, "x", NULL, NULL, 1));
}

static void signals(void)
{
    char bytes[256] = {0};
    stack_t stack = {.ss_sp = bytes, .ss_size = 16};
    sigset_t set;
    struct timespec bad = {0, 1000000000}, negative = {-1, 0};
    sigemptyset(&set);
    ASK(CALL(rt_sigaction, SIGUSR1, NULL, NULL, 8L));
    ASK(CALL(rt_sigaction, SIGUSR1, NULL, NULL, 4L));
    ASK(CALL(rt_sigaction, SIGUSR1, NULL, NULL, 16L));
    ASK(CALL(rt_sigaction, 0, NULL, NULL, 8L));
    ASK(CALL(rt_sigaction, 65, NULL, NULL, 8L));
    ASK(CALL(rt_sigaction, SIGKILL, NULL, bytes, 8L));
    ASK(CALL(rt_sigaction, SIGKILL, bytes, NULL, 8L));
    ASK(CALL(rt_sigaction, SIGUSR1, NOWHERE, NULL, 8L));
    ASK(CALL(rt_sigprocmask, 3, &set, NULL, 8L));
    ASK(CALL(rt_sigprocmask, 3, NULL, NULL, 8L));
    ASK(CALL(rt_sigprocmask, 0, &set, NULL, 4L));
    ASK(CALL(rt_sigpending, bytes, 4L));
    ASK(CALL(rt_sigpending, bytes, 16L));
    ASK(CALL(rt_sigsuspend, &set, 4L));
    ASK(CALL(rt_sigtimedwait, &set, NULL, &bad, 8L));
    ASK(CALL(rt_sigtimedwait, &set, NULL, &negative, 8L));
    ASK(CALL(rt_sigtimedwait, &set, NULL, NULL, 4L));
    ASK(CALL(sigaltstack, &stack, NULL));
    stack.ss_flags = SS_DISABLE;
    ASK(CALL(sigaltstack, &stack, NULL));
    stack.ss_flags = SS_ONSTACK, stack.ss_size = 1 << 16;
    ASK(CALL(sigaltstack, &stack, NULL));
    stack.ss_flags = 3;
    ASK(CALL(sigaltstack, &stack, NULL));
    stack.ss_flags = 4;
    ASK(CALL(sigaltstack, &stack, NULL));
    stack.ss_flags = SS_DISABLE | (int)(1U << 31);
    ASK(CALL(sigaltstack, &stack, NULL));
    stack.ss_flags = (int)(1U << 31) | (1 << 30);
    ASK(CALL(sigaltstack, &stack, NULL));
    ASK(CALL(kill, getpid(), 0));
    ASK(CALL(kill, getpid(), 65));
    ASK(CALL(kill, getpid(), -1));
    ASK(CALL(kill, 99999, 0));
    ASK(CALL(kill, (long)INT32_MIN, 0));
    ASK(CALL(tkill, 0, 0));
    ASK(CALL(tkill, getpid(), 65));
    ASK(CALL(tgkill, getpid(), 99999, 0));
    ASK(CALL(tgkill, getppid(), getpid(), 0));
    ASK(CALL(tgkill, -1, getpid(), 0));
    ASK(CALL(rt_sigqueueinfo, getpid(), SIGUSR1, NOWHERE));
}

static void futexes(void)
{
    static uint32_t word, second;
    struct timespec bad = {0, 1000000000}, soon = {0, 1}, negative = {-1, 0};
    static const int OPERATIONS[] = {0, 1, 3, 4, 5, 9, 10, 14, 99, 127};
    for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; i++) {
        static const int FLAGS[] = {0, 128, 256, 384, 512};
        for (size_t j = 0; j < sizeof FLAGS / sizeof *FLAGS; j++) {
            int counts = OPERATIONS[i] == FUTEX_REQUEUE || OPERATIONS[i] == FUTEX_CMP_REQUEUE;
            long fourth = counts ? 1 : (long)&soon;
            long result = CALL(futex, &word, OPERATIONS[i] | FLAGS[j], 1, fourth, &second, 1);
            printf("futex %d with %d: %s\n", OPERATIONS[i], FLAGS[j], result < 0 ? strerrorname_np(errno) : "ok");
        }
    }
    ASK(CALL(futex, &word, FUTEX_WAIT, 0, &bad, NULL, 0));
    ASK(CALL(futex, &word, FUTEX_WAIT, 0, &negative, NULL, 0));
    ASK(CALL(futex, &word, FUTEX_WAIT, 0, NOWHERE, NULL, 0));
    ASK(CALL(futex, &word, FUTEX_WAIT, 0, &soon, NULL, 0));
    ASK(CALL(futex, (char *)&word + 1, FUTEX_WAIT, 0, &soon, NULL, 0));
    ASK(CALL(futex, (char *)&word + 1, FUTEX_WAKE, 1, NULL, NULL, 0));
    ASK(CALL(futex, NOWHERE, FUTEX_WAIT, 0, &soon, NULL, 0));
    ASK(CALL(futex, NOWHERE, FUTEX_WAKE, 1, NULL, NULL, 0));
    ASK(CALL(futex, NOWHERE, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    ASK(CALL(futex, BEYOND, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    ASK(CALL(futex, &word, FUTEX_WAIT_BITSET, 0, &soon, NULL, 0));
    ASK(CALL(futex, &word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    ASK(CALL(futex, &word, FUTEX_REQUEUE, -1, 1L, &second, 0));
    ASK(CALL(futex, &word, FUTEX_REQUEUE, 1, -1L, &second, 0));
    ASK(CALL(futex, &word, FUTEX_CMP_REQUEUE, 1, 1L, &second, 7));
    ASK(CALL(futex, &word, FUTEX_WAKE_OP, 1, 1L, &second, 7 << 28));
    ASK(CALL(futex, &word, FUTEX_WAKE_OP, 1, 1L, &second, 7 << 24));
    ASK(CALL(futex, &word, FUTEX_WAKE_OP, 1, 1L, NOWHERE, 0));
}

int main(void)
{
    waits();
    cloning();
    signals();
    futexes();
}

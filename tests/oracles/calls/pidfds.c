/* Descriptors of processes: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), CLONE_PIDFD, P_PIDFD. */
#include "calls.h"
#include <linux/sched.h>
#include <poll.h>
#include <sys/epoll.h>

#ifndef PIDFD_NONBLOCK
#define PIDFD_NONBLOCK O_NONBLOCK
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int gate[2]; /* a child waits until a byte arrives, then exits */

static pid_t waiting_child(int code)
{
    pid_t child = fork();
    if (!child) {
        char byte;
        read(gate[0], &byte, 1);
        _exit(code);
    }
    return child;
}

static int events(int fd)
{
    struct pollfd one = {fd, POLLIN | POLLOUT | POLLRDNORM, 0};
    poll(&one, 1, 0);
    return one.revents;
}

/* The line of /proc/self/fdinfo that begins with Pid: its number, -2 without one. */
static int number_of(int fd)
{
    char path[64], line[128];
    int number = -2;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "Pid: %d", &number);
    if (file)
        fclose(file);
    return number;
}

static void *sleeps(void *unused) { pause(); return unused; }

static int body(void *code) { char byte; read(gate[0], &byte, 1); return (int)(long)code; }

static char stack[1 << 16] __attribute__((aligned(16)));

static void opens(void)
{
    ASK(CALL(pidfd_open, getpid(), 1));
    ASK(CALL(pidfd_open, 0, 0));
    ASK(CALL(pidfd_open, -1, 0));
    ASK(CALL(pidfd_open, 0, 1));
    ASK(CALL(pidfd_open, 4000000, 0));
    int fd = CALL(pidfd_open, getpid(), 0), again = CALL(pidfd_open, getpid(), PIDFD_NONBLOCK);
    VALUE(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    VALUE(fcntl(again, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    VALUE(fcntl(fd, F_GETFD));
    char text[64] = "", path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    readlink(path, text, 63);
    puts(text);
    VALUE(number_of(fd) == getpid());
    ASK(read(fd, text, 8));
    ASK(write(fd, text, 8));
    ASK(lseek(fd, 0, SEEK_SET));
    VALUE(events(fd));
    close(fd), close(again);
}

static void signals(void)
{
    pid_t child = waiting_child(0);
    int fd = CALL(pidfd_open, child, 0);
    siginfo_t info = {0};
    ASK(CALL(pidfd_send_signal, fd, 0, NULL, 16));
    ASK(CALL(pidfd_send_signal, 0, 0, NULL, 0));
    ASK(CALL(pidfd_send_signal, 99, 0, NULL, 0));
    ASK(CALL(pidfd_send_signal, -1, 0, NULL, 0));
    ASK(CALL(pidfd_send_signal, fd, 65, NULL, 0));
    ASK(CALL(pidfd_send_signal, fd, -1, NULL, 0));
    ASK(CALL(pidfd_send_signal, fd, 0, NOWHERE, 0));
    ASK(CALL(pidfd_send_signal, fd, SIGUSR1, &info, 0));
    info.si_signo = SIGUSR1;
    ASK(CALL(pidfd_send_signal, fd, SIGUSR1, &info, 0));
    info.si_code = SI_TKILL;
    ASK(CALL(pidfd_send_signal, fd, SIGUSR1, &info, 0));
    ASK(CALL(pidfd_send_signal, fd, 0, NULL, 0));
    info.si_signo = 0, info.si_code = SI_QUEUE;
    ASK(CALL(pidfd_send_signal, fd, 0, &info, 0));
    int own = CALL(pidfd_open, getpid(), 0);
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    info.si_signo = SIGRTMIN, info.si_code = SI_QUEUE, info.si_value.sival_int = 7;
    ASK(CALL(pidfd_send_signal, own, SIGRTMIN, &info, 0));
    VALUE(sigwaitinfo(&set, &info) == SIGRTMIN ? info.si_value.sival_int : -1);
    VALUE(info.si_code);
    ASK(CALL(pidfd_send_signal, own, SIGRTMIN, NULL, 0));
    VALUE(sigwaitinfo(&set, &info) == SIGRTMIN ? info.si_pid == getpid() : -1);
    VALUE(info.si_code);
    /* A directory of /proc stands for its process, too. */
    char path[64];
    snprintf(path, sizeof path, "/proc/%d", child);
    int directory = open(path, O_RDONLY | O_DIRECTORY), reference = open(path, O_PATH);
    ASK(CALL(pidfd_send_signal, directory, 0, NULL, 0));
    ASK(CALL(pidfd_send_signal, reference, 0, NULL, 0));
    ASK(CALL(pidfd_getfd, directory, 0, 0));
    ASK(CALL(pidfd_send_signal, fd, SIGTERM, NULL, 0));
    int status;
    struct pollfd one = {fd, POLLIN, 0};
    VALUE(poll(&one, 1, -1));
    ASK(CALL(pidfd_send_signal, fd, 0, NULL, 0)); /* a zombie */
    ASK(CALL(pidfd_open, child, 0) < 0 ? -1 : 0);
    VALUE(number_of(fd) == child);
    VALUE(waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    VALUE(number_of(fd));
    VALUE(events(fd) & POLLIN);
    ASK(CALL(pidfd_send_signal, fd, 0, NULL, 0));
    ASK(CALL(pidfd_send_signal, fd, 65, NULL, 0));
    ASK(CALL(pidfd_send_signal, directory, 0, NULL, 0));
    ASK(CALL(pidfd_getfd, fd, 0, 0));
    ASK(CALL(waitid, P_PIDFD, fd, &info, WEXITED, NULL));
    close(fd), close(own), close(directory), close(reference);
}

static void waits(void)
{
    siginfo_t info;
    pid_t child = waiting_child(3);
    int fd = CALL(pidfd_open, child, 0), set = epoll_create1(0);
    ASK(CALL(waitid, P_PIDFD, -1, &info, WEXITED, NULL));
    ASK(CALL(waitid, P_PIDFD, 99, &info, WEXITED, NULL));
    ASK(CALL(waitid, P_PIDFD, 0, &info, WEXITED, NULL));
    ASK(CALL(waitid, P_PIDFD, fd, &info, 0, NULL));
    int own = CALL(pidfd_open, getpid(), 0);
    ASK(CALL(waitid, P_PIDFD, own, &info, WEXITED, NULL));
    memset(&info, 1, sizeof info);
    ASK(CALL(waitid, P_PIDFD, fd, &info, WEXITED | WNOHANG, NULL));
    VALUE(info.si_pid);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    ASK(CALL(waitid, P_PIDFD, fd, &info, WEXITED, NULL));
    ASK(CALL(waitid, P_PIDFD, fd, &info, WEXITED | WNOHANG, NULL));
    fcntl(fd, F_SETFL, 0);
    struct epoll_event event = {EPOLLIN | EPOLLET, {.u32 = 5}};
    ASK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    VALUE(epoll_wait(set, &event, 1, 0));
    write(gate[1], "x", 1);
    VALUE(epoll_wait(set, &event, 1, -1));
    VALUE(event.events);
    VALUE(epoll_wait(set, &event, 1, 0));
    VALUE(events(fd));
    ASK(CALL(waitid, P_PIDFD, fd, &info, WEXITED | WNOWAIT, NULL));
    VALUE(info.si_pid == child);
    VALUE(info.si_status);
    VALUE(info.si_code);
    ASK(CALL(waitid, P_PIDFD, fd, &info, WEXITED, NULL));
    ASK(CALL(waitid, P_PIDFD, fd, &info, WEXITED, NULL));
    VALUE(events(fd));
    close(fd), close(own), close(set);
    /* A process that no process waits for. */
    signal(SIGCHLD, SIG_IGN);
    child = waiting_child(0);
    fd = CALL(pidfd_open, child, 0);
    write(gate[1], "x", 1);
    struct pollfd one = {fd, POLLIN, 0};
    VALUE(poll(&one, 1, -1));
    ASK(CALL(pidfd_send_signal, fd, 0, NULL, 0));
    signal(SIGCHLD, SIG_DFL);
    close(fd);
}

static void gets(void)
{
    int pair[2], copy;
    char byte = 0;
    pipe(pair);
    int own = CALL(pidfd_open, getpid(), 0);
    ASK(CALL(pidfd_getfd, own, 0, 1));
    ASK(CALL(pidfd_getfd, own, 99, 0));
    ASK(CALL(pidfd_getfd, own, -1, 0));
    ASK(CALL(pidfd_getfd, 0, 0, 0));
    ASK(CALL(pidfd_getfd, 99, 99, 0));
    copy = CALL(pidfd_getfd, own, pair[1], 0);
    VALUE(fcntl(copy, F_GETFD));
    VALUE(write(copy, "y", 1));
    VALUE(read(pair[0], &byte, 1) + byte);
    /* A child's descriptor that the parent does not have. */
    int ready[2];
    pipe(ready);
    pid_t child = fork();
    if (!child) {
        int file = open("/dev/zero", O_RDONLY);
        dup2(file, 60);
        write(ready[1], "r", 1);
        read(gate[0], &byte, 1);
        _exit(0);
    }
    read(ready[0], &byte, 1);
    int fd = CALL(pidfd_open, child, 0);
    ASK(CALL(pidfd_getfd, fd, 99, 0));
    copy = CALL(pidfd_getfd, fd, 60, 0);
    VALUE(copy < 0 ? -errno : read(copy, &byte, 1) + byte);
    write(gate[1], "x", 1);
    struct pollfd one = {fd, POLLIN, 0};
    poll(&one, 1, -1);
    ASK(CALL(pidfd_getfd, fd, 60, 0)); /* a zombie has no files */
    waitpid(child, NULL, 0);
    close(fd), close(own), close(copy), close(pair[0]), close(pair[1]), close(ready[0]), close(ready[1]);
}

static void clones(void)
{
    int fd = -1, status;
    siginfo_t info;
    pid_t child = clone(body, stack + sizeof stack, CLONE_PIDFD | SIGCHLD, (void *)4L, &fd);
    VALUE(child > 0 && fd >= 0);
    VALUE(fcntl(fd, F_GETFD));
    VALUE(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    VALUE(number_of(fd) == child);
    write(gate[1], "x", 1);
    ASK(CALL(waitid, P_PIDFD, fd, &info, WEXITED, NULL));
    VALUE(info.si_status);
    close(fd);
    ASK(clone(body, stack + sizeof stack, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &fd));
    ASK(clone(body, stack + sizeof stack, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, NULL, &fd));
    ASK(clone(body, stack + sizeof stack, CLONE_PIDFD | SIGCHLD, NULL, NOWHERE));
    ASK(waitpid(-1, &status, WNOHANG)); /* that one was not made */
    struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (unsigned long)&fd, .exit_signal = SIGCHLD};
    fd = -1;
    child = CALL(clone3, &args, sizeof args);
    if (!child)
        _exit(fd == -1 && fcntl(3, F_GETFD) != -1 ? 6 : 7); /* the child has neither number nor file */
    VALUE(fd >= 0 && number_of(fd) == child);
    VALUE(waitid(P_PIDFD, fd, &info, WEXITED) ? -1 : info.si_status);
    close(fd);
    int tid = 0;
    args.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, args.parent_tid = (unsigned long)&tid;
    child = CALL(clone3, &args, sizeof args);
    if (!child)
        _exit(0);
    VALUE(tid == child && number_of(fd) == child);
    waitpid(child, NULL, 0), close(fd);
    args.parent_tid = args.pidfd;
    ASK(CALL(clone3, &args, sizeof args));
    args.flags = CLONE_PIDFD, args.pidfd = 0x10;
    ASK(CALL(clone3, &args, sizeof args));
    /* Without a free descriptor. */
    struct rlimit before, none = {3, 0};
    getrlimit(RLIMIT_NOFILE, &before);
    none.rlim_max = before.rlim_max;
    args.pidfd = (unsigned long)&fd;
    setrlimit(RLIMIT_NOFILE, &none);
    ASK(CALL(clone3, &args, sizeof args));
    ASK(CALL(pidfd_open, getpid(), 0));
    setrlimit(RLIMIT_NOFILE, &before);
    ASK(waitpid(-1, &status, WNOHANG));
}

/* A descriptor outlives exec and fork, and refers to the same process there. */
static void inherited(void)
{
    pid_t child = waiting_child(9), other;
    int fd = CALL(pidfd_open, child, 0), status;
    if (!(other = fork())) {
        siginfo_t info;
        int same = !CALL(pidfd_send_signal, fd, 0, NULL, 0) && number_of(fd) == child;
        int foreign = CALL(waitid, P_PIDFD, fd, &info, WEXITED, NULL) ? errno == ECHILD : 0;
        _exit(same + 2 * foreign);
    }
    VALUE(waitpid(other, &status, 0) == other ? WEXITSTATUS(status) : -1);
    struct pollfd one = {fd, POLLIN, 0};
    VALUE(poll(&one, 1, 1));
    write(gate[1], "x", 1);
    VALUE(waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1);
    close(fd);
}

int main(void)
{
    pipe(gate);
    opens();
    signals();
    waits();
    gets();
    clones();
    inherited();
    return 0;
}

/* signalfd(2): what is read, polled and waited for. */
#include "calls.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

static struct signalfd_siginfo got[8];

static int events(int fd)
{
    struct pollfd one = {fd, POLLIN | POLLOUT, 0};
    poll(&one, 1, 0);
    return one.revents;
}

static void *nothing;

int main(void)
{
    sigset_t set, more;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1), sigaddset(&set, SIGCHLD), sigaddset(&set, SIGRTMIN), sigaddset(&set, SIGKILL);
    unsigned long bits = *(unsigned long *)&set, other = 1UL << (SIGUSR2 - 1);
    ASK(CALL(signalfd4, -1, &bits, 7, 0));
    ASK(CALL(signalfd4, -1, &bits, 8, 1));
    ASK(CALL(signalfd4, -1, NOWHERE, 8, 0));
    ASK(CALL(signalfd4, 0, &bits, 8, 0));
    ASK(CALL(signalfd4, 99, &bits, 8, 0));
    int fd = CALL(signalfd4, -1, &bits, 8, O_NONBLOCK | O_CLOEXEC);
    VALUE(fcntl(fd, F_GETFL));
    VALUE(fcntl(fd, F_GETFD));
    ASK(read(fd, got, 127));
    ASK(read(fd, got, 128));
    ASK(write(fd, got, 128));
    ASK(lseek(fd, 0, SEEK_SET));
    VALUE(events(fd));
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1), kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGRTMIN, (union sigval){7}), sigqueue(getpid(), SIGRTMIN, (union sigval){-8});
    kill(getpid(), SIGUSR2);
    VALUE(events(fd));
    VALUE(read(fd, got, sizeof got));
    for (int i = 0; i < 3; i++) {
        VALUE(got[i].ssi_signo);
        VALUE(got[i].ssi_code);
        VALUE(got[i].ssi_pid == getpid());
        VALUE(got[i].ssi_int);
        VALUE(got[i].ssi_ptr == (unsigned long)(long)got[i].ssi_int || got[i].ssi_ptr >> 32 == 0);
    }
    VALUE(events(fd));
    VALUE(CALL(signalfd4, fd, &other, 8, 0) == fd);
    VALUE(events(fd));
    VALUE(read(fd, got, sizeof got));
    VALUE(got[0].ssi_signo);
    CALL(signalfd4, fd, &bits, 8, 0);
    pid_t child = fork();
    if (!child)
        _exit(5);
    struct pollfd one = {fd, POLLIN, 0};
    VALUE(poll(&one, 1, -1));
    VALUE(read(fd, got, 128));
    VALUE(got[0].ssi_signo);
    VALUE(got[0].ssi_code);
    VALUE(got[0].ssi_pid == child);
    VALUE(got[0].ssi_status);
    waitpid(child, NULL, 0);
    int set_fd = epoll_create1(0);
    struct epoll_event event = {EPOLLIN};
    ASK(epoll_ctl(set_fd, EPOLL_CTL_ADD, fd, &event));
    VALUE(epoll_wait(set_fd, &event, 1, 0));
    kill(getpid(), SIGUSR1);
    VALUE(epoll_wait(set_fd, &event, 1, 0));
    VALUE(sigpending(&more) ? -1 : sigismember(&more, SIGUSR1));
    read(fd, got, 128);
    VALUE(sigpending(&more) ? -1 : sigismember(&more, SIGUSR1));
    /* Blocks until a child sends one. */
    fcntl(fd, F_SETFL, 0);
    if (!(child = fork())) {
        usleep(20000);
        kill(getppid(), SIGUSR1);
        usleep(20000);
        _exit(0);
    }
    VALUE(read(fd, got, 128));
    VALUE(got[0].ssi_pid == child);
    waitpid(child, NULL, 0);
    /* A child reads its own. */
    if (!(child = fork())) {
        kill(getpid(), SIGUSR1);
        _exit(read(fd, got, 128) == 128 && got[0].ssi_pid == getpid() ? 3 : 4);
    }
    int status;
    VALUE(waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1);
    return 0;
}

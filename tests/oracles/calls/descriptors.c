/* Pipes, epoll(7), eventfd(2), timerfd_create(2), polling, clocks, locks, fcntl(2), socketpair(2). */
#include "calls.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>


static const struct timespec BAD = {0, 1000000000}, NEGATIVE = {-1, 0}, SOON = {0, 1};

static void pipes(void)
{
    int ends[2], more[2];
    ASK(CALL(pipe2, ends, 0));
    ASK(CALL(pipe2, more, 1));
    ASK(CALL(pipe2, more, O_CLOEXEC | O_NONBLOCK));
    ASK(CALL(pipe2, more, O_DIRECT));
    ASK(CALL(pipe2, more, O_NONBLOCK | O_RDWR));
    ASK(CALL(pipe2, NOWHERE, 0));
    VALUE(fcntl(ends[0], F_GETFL));
    VALUE(fcntl(ends[1], F_GETFL));
    ASK(fcntl(ends[0], F_SETPIPE_SZ, 0));
    ASK(fcntl(ends[0], F_SETPIPE_SZ, -1));
    VALUE(fcntl(ends[0], F_SETPIPE_SZ, 5000));
    VALUE(fcntl(ends[1], F_GETPIPE_SZ));
    ASK(fcntl(ends[0], F_SETPIPE_SZ, 1 << 30));
    ASK(fcntl(bytes_file(1), F_GETPIPE_SZ));
    ASK(CALL(dup3, ends[0], ends[0], 0));
    ASK(CALL(dup3, ends[0], 50, O_CLOEXEC));
    VALUE(fcntl(50, F_GETFD));
    ASK(CALL(dup3, ends[0], 51, O_NONBLOCK));
    ASK(CALL(dup3, ends[0], -1, 0));
    ASK(CALL(dup3, 99, 52, 0));
    ASK(fcntl(50, F_SETFD, 2));
    VALUE(fcntl(50, F_GETFD));
    ASK(fcntl(50, F_SETFD, 3));
    VALUE(fcntl(50, F_GETFD));
    ASK(fcntl(ends[0], F_DUPFD, -1));
    VALUE(fcntl(fcntl(ends[0], F_DUPFD_CLOEXEC, 60), F_GETFD));
    ASK(fcntl(ends[0], 99));
    ASK(fcntl(ends[0], F_SETFL, O_NONBLOCK | O_RDWR | O_TRUNC | O_SYNC));
    VALUE(fcntl(ends[0], F_GETFL));
    ASK(fcntl(ends[0], F_SETSIG, 65));
    ASK(fcntl(ends[0], F_SETSIG, SIGUSR1));
    VALUE(fcntl(ends[0], F_GETSIG));
    ASK(fcntl(ends[0], F_SETOWN, 99999));
    ASK(fcntl(ends[0], F_SETOWN, getpid()));
    VALUE(fcntl(ends[0], F_GETOWN) == getpid());
    ASK(fcntl(ends[0], F_SETLEASE, F_RDLCK));
}

static void locks(void)
{
    int file = bytes_file(1);
    char name[64];
    sprintf(name, "/proc/self/fd/%d", file);
    int reading = open(name, O_RDONLY), writing = open(name, O_WRONLY);
    ASK(flock(file, 0));
    ASK(flock(file, LOCK_SH | LOCK_EX));
    ASK(flock(file, LOCK_EX | LOCK_NB));
    ASK(flock(reading, LOCK_SH | LOCK_NB));
    ASK(flock(file, LOCK_UN | LOCK_NB));
    ASK(flock(file, LOCK_EX | 0x100));
    ASK(flock(file, 16 | LOCK_EX));
    ASK(flock(99, LOCK_EX));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    ASK(fcntl(file, F_SETLK, &lock));
    ASK(fcntl(reading, F_SETLK, &lock));
    lock.l_type = F_RDLCK;
    ASK(fcntl(writing, F_SETLK, &lock));
    lock.l_type = 3;
    ASK(fcntl(file, F_SETLK, &lock));
    ASK(fcntl(file, F_GETLK, &lock));
    lock.l_type = F_UNLCK;
    ASK(fcntl(file, F_GETLK, &lock));
    ASK(fcntl(file, F_OFD_GETLK, &lock));
    lock.l_type = F_RDLCK, lock.l_whence = 3;
    ASK(fcntl(file, F_SETLK, &lock));
    lock.l_whence = SEEK_SET, lock.l_start = -1;
    ASK(fcntl(file, F_SETLK, &lock));
    lock.l_start = 0, lock.l_len = -1;
    ASK(fcntl(file, F_SETLK, &lock));
    lock.l_start = 1, lock.l_len = (1UL << 63) - 1;
    ASK(fcntl(file, F_SETLK, &lock));
    lock.l_len = 1, lock.l_pid = 5;
    ASK(fcntl(file, F_OFD_SETLK, &lock));
    ASK(fcntl(file, F_SETLK, NOWHERE));
}

static void events(void)
{
    struct epoll_event event = {EPOLLIN, {0}}, got[4];
    int file = bytes_file(1), ends[2];
    uint64_t number = 5;
    if (pipe(ends))
        abort();
    ASK(CALL(epoll_create1, 1));
    ASK(CALL(epoll_create1, O_NONBLOCK));
    int epoll = CALL(epoll_create1, O_CLOEXEC);
    VALUE(fcntl(epoll, F_GETFD));
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[0], &event));
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[0], &event));
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_MOD, ends[1], &event));
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_DEL, ends[1], NULL));
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, file, &event));
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, epoll, &event));
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, 99, &event));
    ASK(CALL(epoll_ctl, ends[0], EPOLL_CTL_ADD, ends[1], &event));
    ASK(CALL(epoll_ctl, epoll, 9, ends[0], &event));
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[1], NOWHERE));
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_MOD, ends[0], &event));
    event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[1], &event));
    event.events = EPOLLOUT | EPOLLEXCLUSIVE;
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_ADD, ends[1], &event));
    event.events = EPOLLOUT;
    ASK(CALL(epoll_ctl, epoll, EPOLL_CTL_MOD, ends[1], &event));
    ASK(CALL(epoll_pwait, epoll, got, 0, 0, NULL, 8L));
    ASK(CALL(epoll_pwait, epoll, got, -1, 0, NULL, 8L));
    ASK(CALL(epoll_pwait, epoll, got, 1 << 30, 0, NULL, 8L));
    ASK(CALL(epoll_pwait, epoll, NOWHERE, 1, 0, NULL, 8L));
    ASK(CALL(epoll_pwait, epoll, got, 1, 0, got, 4L));
    ASK(CALL(epoll_pwait, ends[0], got, 1, 0, NULL, 8L));
    ASK(CALL(epoll_pwait2, epoll, got, 1, &BAD, NULL, 8L));
    ASK(CALL(epoll_pwait2, epoll, got, 1, &NEGATIVE, NULL, 8L));
    ASK(CALL(eventfd2, 0, 2));
    ASK(CALL(eventfd2, 0, EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK));
    int events = CALL(eventfd2, 3, EFD_SEMAPHORE | EFD_NONBLOCK);
    VALUE(read(events, &number, 8) + number);
    ASK(read(events, &number, 4));
    ASK(write(events, &number, 4));
    number = -1;
    ASK(write(events, &number, 8));
    number = -2;
    ASK(write(events, &number, 8));
    static const int CLOCKS[] = {-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    for (size_t i = 0; i < sizeof CLOCKS / sizeof *CLOCKS; i++) {
        int timer = CALL(timerfd_create, CLOCKS[i], 0);
        printf("timerfd_create %d: %s\n", CLOCKS[i], timer < 0 ? strerrorname_np(errno) : "ok");
    }
    ASK(CALL(timerfd_create, CLOCK_MONOTONIC, 1));
    int timer = CALL(timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int real = CALL(timerfd_create, CLOCK_REALTIME, TFD_NONBLOCK);
    struct itimerspec zero = {{0, 0}, {0, 0}}, wrong = {{0, 0}, BAD}, minus = {NEGATIVE, {1, 0}};
    ASK(CALL(timerfd_settime, timer, 4, &zero, NULL));
    ASK(CALL(timerfd_settime, timer, 0, &wrong, NULL));
    ASK(CALL(timerfd_settime, timer, 0, &minus, NULL));
    ASK(CALL(timerfd_settime, timer, TFD_TIMER_CANCEL_ON_SET, &zero, NULL));
    ASK(CALL(timerfd_settime, timer, TFD_TIMER_ABSTIME, &zero, NULL));
    ASK(CALL(timerfd_settime, real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &zero, NULL));
    ASK(CALL(timerfd_settime, epoll, 0, &zero, NULL));
    ASK(CALL(timerfd_settime, timer, 0, NOWHERE, NULL));
    ASK(CALL(timerfd_gettime, epoll, &zero));
    ASK(CALL(timerfd_gettime, timer, NOWHERE));
    ASK(read(timer, &number, 4));
    ASK(read(timer, &number, 8));
    struct pollfd one = {ends[1], POLLOUT, 0};
    ASK(CALL(ppoll, &one, 1, &BAD, NULL, 8L));
    ASK(CALL(ppoll, &one, 1, &NEGATIVE, NULL, 8L));
    ASK(CALL(ppoll, &one, 1, &SOON, got, 4L));
    ASK(CALL(ppoll, NOWHERE, 1, &SOON, NULL, 8L));
    ASK(CALL(ppoll, &one, 1 << 30, &SOON, NULL, 8L));
    ASK(CALL(pselect6, -1, NULL, NULL, NULL, &SOON, NULL));
    ASK(CALL(pselect6, 1, NOWHERE, NULL, NULL, &SOON, NULL));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(99, &set);
    ASK(CALL(pselect6, 100, &set, NULL, NULL, &SOON, NULL));
    ASK(CALL(pselect6, 99, &set, NULL, NULL, &BAD, NULL));
}

static void clocks(void)
{
    struct timespec now;
    struct itimerval zero = {{0, 0}, {0, 0}}, wrong = {{0, 0}, {0, 1000000}}, minus = {{-1, 0}, {0, 0}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec times = {{0, 0}, {0, 0}}, bad = {{0, 0}, BAD}, unused = {BAD, {0, 0}};
    for (int clock = -8; clock < 18; clock++) {
        if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
            continue; /* exists on some machines only */
        long get = CALL(clock_gettime, clock, &now);
        printf("clock_gettime %d: %s\n", clock, get ? strerrorname_np(errno) : "ok");
        long resolution = CALL(clock_getres, clock, &now);
        printf("clock_getres %d: %s\n", clock, resolution ? strerrorname_np(errno) : "ok");
        if (clock >= 0 && clock != CLOCK_PROCESS_CPUTIME_ID) { /* its time may not advance */
            long sleep = CALL(clock_nanosleep, clock, 0, &SOON, NULL);
            printf("clock_nanosleep %d: %s\n", clock, sleep ? strerrorname_np(errno) : "ok");
        }
        int timer;
        long create = CALL(timer_create, clock, NULL, &timer);
        printf("timer_create %d: %s\n", clock, create ? strerrorname_np(errno) : "ok");
    }
    ASK(CALL(clock_gettime, 0, NOWHERE));
    ASK(CALL(clock_getres, 0, NULL));
    ASK(CALL(clock_nanosleep, CLOCK_MONOTONIC, 2, &SOON, NULL));
    ASK(CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, &BAD, NULL));
    ASK(CALL(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &NEGATIVE, NULL));
    ASK(CALL(nanosleep, &BAD, NULL));
    ASK(CALL(nanosleep, &NEGATIVE, NULL));
    ASK(CALL(nanosleep, NOWHERE, NULL));
    ASK(CALL(setitimer, 3, &zero, NULL));
    ASK(CALL(setitimer, 0, &wrong, NULL));
    ASK(CALL(setitimer, 0, &minus, NULL));
    ASK(CALL(setitimer, 0, NOWHERE, NULL));
    ASK(CALL(setitimer, 0, NULL, NULL));
    ASK(CALL(getitimer, 3, &zero));
    ASK(CALL(getitimer, 0, NOWHERE));
    int timer = 0;
    ASK(CALL(timer_create, CLOCK_MONOTONIC, &event, NOWHERE));
    ASK(CALL(timer_create, CLOCK_MONOTONIC, NOWHERE, &timer));
    ASK(CALL(timer_create, CLOCK_MONOTONIC, &event, &timer));
    ASK(CALL(timer_settime, timer, 2, &times, NULL));
    ASK(CALL(timer_settime, timer, 0, &bad, NULL));
    ASK(CALL(timer_settime, timer, 0, &unused, NULL));
    ASK(CALL(timer_settime, timer, 0, NULL, NULL));
    ASK(CALL(timer_settime, 99, 0, &times, NULL));
    ASK(CALL(timer_gettime, 99, &times));
    ASK(CALL(timer_gettime, timer, NOWHERE));
    ASK(CALL(timer_getoverrun, 99));
    ASK(CALL(timer_delete, 99));
    event.sigev_signo = 0;
    ASK(CALL(timer_create, CLOCK_MONOTONIC, &event, &timer));
    event.sigev_signo = 65;
    ASK(CALL(timer_create, CLOCK_MONOTONIC, &event, &timer));
    event.sigev_notify = SIGEV_NONE;
    ASK(CALL(timer_create, CLOCK_MONOTONIC, &event, &timer));
    event.sigev_notify = SIGEV_THREAD, event.sigev_signo = SIGUSR1;
    ASK(CALL(timer_create, CLOCK_MONOTONIC, &event, &timer));
    event.sigev_notify = 9;
    ASK(CALL(timer_create, CLOCK_MONOTONIC, &event, &timer));
}

static void others(void)
{
    char bytes[64];
    int pair[2], ends[2], number = 1;
    static const unsigned FLAGS[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 0x80000000};
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
        long got = CALL(getrandom, bytes, 16L, FLAGS[i]);
        printf("getrandom %#x: %s\n", FLAGS[i], got < 0 ? strerrorname_np(errno) : "ok");
    }
    ASK(CALL(getrandom, NOWHERE, 16L, 0));
    ASK(CALL(getrandom, NULL, 0L, 0));
    ASK(CALL(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
    VALUE(fcntl(pair[0], F_GETFD));
    VALUE(fcntl(pair[0], F_GETFL));
    ASK(CALL(socketpair, AF_UNIX, SOCK_STREAM | 0x100, 0, pair));
    ASK(CALL(socketpair, AF_UNIX, SOCK_RAW, 0, pair));
    ASK(CALL(socketpair, AF_UNIX, 99, 0, pair));
    ASK(CALL(socketpair, AF_UNIX, SOCK_STREAM, 9, pair));
    ASK(CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, NOWHERE));
    ASK(CALL(socketpair, 99, SOCK_STREAM, 0, pair));
    ASK(CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, pair));
    ASK(CALL(shutdown, pair[0], 3));
    ASK(CALL(shutdown, 0, 0));
    ASK(CALL(sendto, pair[0], bytes, 1L, MSG_OOB << 8 << 8 << 8, NULL, 0));
    ASK(CALL(recvfrom, pair[1], bytes, 1L, MSG_DONTWAIT | MSG_PEEK, NULL, NULL));
    ASK(CALL(setsockopt, pair[0], SOL_SOCKET, SO_SNDBUF, &number, 2));
    ASK(CALL(setsockopt, pair[0], SOL_SOCKET, 999, &number, 4));
    ASK(CALL(setsockopt, pair[0], 99, 1, &number, 4));
    ASK(ioctl(pair[0], 0x9999, &number));
    ASK(ioctl(0, FIONBIO, NOWHERE));
    ASK(CALL(sysinfo, NOWHERE));
    ASK(CALL(uname, NOWHERE));
    ASK(CALL(times, NOWHERE));
    ASK(CALL(getcpu, NOWHERE, NULL, NULL));
    ASK(CALL(getgroups, -1, bytes));
    ASK(CALL(personality, 0xffffffffL));
    ASK(CALL(syslog, 10, NULL, 0));
    ASK(pipe(ends));
    ASK(CALL(vmsplice, ends[1], NULL, 0L, 0x10));
    ASK(CALL(tee, ends[0], ends[1], 1L, 0));
}

int main(void)
{
    pipes();
    locks();
    events();
    clocks();
    others();
}

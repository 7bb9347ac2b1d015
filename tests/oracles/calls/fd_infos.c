/* The lines of /proc/self/fdinfo that only a kind of file has. */
#include "calls.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/* Prints the lines, those that begin with `vague` up to there only. */
static void show(const char *what, int fd, const char *vague)
{
    char path[64], text[4096], *line, *rest = text;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    int file = open(path, O_RDONLY);
    ssize_t size = read(file, text, sizeof text - 1);
    text[size < 0 ? 0 : size] = 0;
    close(file);
    printf("%s\n", what);
    while ((line = strsep(&rest, "\n")) && *line) {
        char *number = strstr(line, " ino:");
        if (number)
            *number = 0;
        if (!strncmp(line, "mnt_id", 6) || !strncmp(line, "ino", 3))
            line[4] = 0;
        if (vague && !strncmp(line, vague, strlen(vague)))
            line[strlen(vague)] = 0;
        printf("  %s\n", line);
    }
    fflush(stdout);
}

int main(void)
{
    int counter = eventfd(0x1234, EFD_SEMAPHORE | EFD_CLOEXEC);
    show("semaphore", counter, "eventfd-id");
    show("counter", eventfd(0, EFD_NONBLOCK), "eventfd-id");

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGKILL), sigaddset(&set, 64);
    show("signalfd", signalfd(-1, &set, 0), NULL);

    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    show("new timer", timer, NULL);
    struct itimerspec far = {{3, 5}, {1000000, 0}}, passed = {{0, 0}, {1, 0}};
    timerfd_settime(timer, 0, &far, NULL);
    show("armed timer", timer, "it_value: (999999");
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &passed, NULL);
    usleep(2000);
    show("due timer", timer, NULL);
    uint64_t times;
    VALUE(read(timer, &times, 8));
    show("read timer", timer, NULL);
    show("realtime", timerfd_create(CLOCK_REALTIME, 0), NULL);

    int set_of_files = epoll_create1(0);
    show("empty epoll", set_of_files, NULL);
    struct epoll_event event = {EPOLLIN | EPOLLET, {.u64 = 0xabcdef}};
    epoll_ctl(set_of_files, EPOLL_CTL_ADD, counter, &event);
    show("epoll", set_of_files, NULL);
    event.events = EPOLLIN | EPOLLONESHOT, event.data.u64 = -1;
    epoll_ctl(set_of_files, EPOLL_CTL_MOD, counter, &event);
    show("one shot", set_of_files, NULL);
    VALUE(epoll_wait(set_of_files, &event, 1, 0));
    show("after its shot", set_of_files, NULL);
    return 0;
}

/* Bytes between pipes and files: splice(2), tee(2), vmsplice(2). */
#include "calls.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

static int a[2], b[2], file;

static void on_signal(int number)
{
    (void)number;
}

static void show(int fd)
{
    char text[64] = {0};
    long got = read(fd, text, sizeof text - 1);
    printf("read: %ld \"%s\"\n", got, text);
}

static void refused(void)
{
    loff_t zero = 0, negative = -1;
    int null = open("/dev/null", O_RDWR), event = eventfd(0, 0), folder = open("/", O_RDONLY);
    int path = open("/", O_PATH), pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    ASK(CALL(splice, -1, NULL, -1, NULL, 0L, 99));
    ASK(CALL(splice, -1, NULL, -1, NULL, 1L, 16));
    ASK(CALL(splice, -1, NULL, b[1], NULL, 1L, 0));
    ASK(CALL(splice, a[0], NULL, -1, NULL, 1L, 0));
    ASK(CALL(splice, path, NULL, b[1], NULL, 1L, 0));
    ASK(CALL(splice, a[0], &zero, b[1], NULL, 1L, 0));
    ASK(CALL(splice, a[0], NULL, b[1], &zero, 1L, 0));
    ASK(CALL(splice, a[1], NULL, b[1], NULL, 1L, 0));
    ASK(CALL(splice, a[0], NULL, b[0], NULL, 1L, 0));
    ASK(CALL(splice, a[0], NULL, a[1], NULL, 1L, 2));
    ASK(CALL(splice, file, NULL, null, NULL, 1L, 0));
    ASK(CALL(splice, file, NOWHERE, b[1], NULL, 1L, 0));
    ASK(CALL(splice, file, &negative, b[1], NULL, 1L, 0));
    loff_t last = INT64_MAX;
    ASK(CALL(splice, file, &last, b[1], NULL, 1L, 0));
    ASK(CALL(splice, file, &last, b[1], NULL, 0x7fffffffffffffffL, 0));
    ASK(CALL(splice, file, NULL, b[1], NULL, -1L, 0));
    ASK(CALL(splice, a[0], NULL, event, NULL, 1L, 2));
    ASK(CALL(splice, pair[0], &zero, b[1], NULL, 1L, 2));
    ASK(CALL(splice, a[0], NULL, pair[1], &zero, 1L, 2));
    ASK(CALL(splice, event, NULL, b[1], NULL, 1L, 2));
    ASK(CALL(splice, folder, NULL, b[1], NULL, 1L, 2));
    ASK(CALL(splice, a[0], NULL, file, NOWHERE, 1L, 2));
    ASK(CALL(splice, a[0], NULL, file, &negative, 1L, 2));
    ASK(CALL(splice, a[0], NULL, file, NULL, 1L, 2));
    ASK(CALL(splice, a[0], NULL, b[1], NULL, 1L, 2));
    ASK(CALL(splice, pair[0], NULL, b[1], NULL, 1L, 2));
    fcntl(file, F_SETFL, O_APPEND);
    ASK(CALL(splice, a[0], NULL, file, NULL, 1L, 2));
    fcntl(file, F_SETFL, 0);
    ASK(CALL(tee, -1, -1, 0L, 16));
    ASK(CALL(tee, -1, -1, 0L, 0));
    ASK(CALL(tee, -1, b[1], 1L, 0));
    ASK(CALL(tee, a[1], b[1], 1L, 0));
    ASK(CALL(tee, a[0], b[0], 1L, 0));
    ASK(CALL(tee, a[0], a[1], 1L, 0));
    ASK(CALL(tee, file, b[1], 1L, 0));
    ASK(CALL(tee, a[0], b[1], 1L, 2));
    struct iovec one = {"x", 1}, bad = {NOWHERE, 1};
    ASK(CALL(vmsplice, -1, &one, 1L, 16));
    ASK(CALL(vmsplice, -1, &one, 1L, 0));
    ASK(CALL(vmsplice, file, &one, 1L, 0));
    ASK(CALL(vmsplice, file, &one, 0L, 0));
    ASK(CALL(vmsplice, b[1], &one, 1025L, 0));
    ASK(CALL(vmsplice, b[1], NOWHERE, 1L, 0));
    ASK(CALL(vmsplice, b[1], &bad, 1L, 0));
    ASK(CALL(vmsplice, a[0], &one, 1L, 2));
    close(null), close(event), close(folder), close(path), close(pair[0]), close(pair[1]);
}

static void moves(void)
{
    loff_t at = 2;
    VALUE(pwrite(file, "0123456789", 10, 0));
    VALUE(CALL(splice, file, NULL, a[1], NULL, 3L, 0));
    VALUE(lseek(file, 0, SEEK_CUR));
    VALUE(CALL(splice, file, &at, a[1], NULL, 4L, 0));
    VALUE(at);
    VALUE(CALL(tee, a[0], b[1], 5L, 0));
    show(b[0]);
    VALUE(CALL(splice, a[0], NULL, b[1], NULL, 4L, 0));
    show(b[0]);
    show(a[0]);
    at = 100;
    VALUE(CALL(splice, file, &at, a[1], NULL, 4L, 0));
    VALUE(write(a[1], "abcdef", 6));
    at = 4;
    VALUE(CALL(splice, a[0], NULL, file, &at, 3L, 0));
    VALUE(at);
    VALUE(CALL(splice, a[0], NULL, file, NULL, 100L, 0));
    VALUE(lseek(file, 0, SEEK_SET));
    show(file);
    struct iovec two[2] = {{"some", 4}, {"thing", 5}};
    VALUE(CALL(vmsplice, a[1], two, 2L, 0));
    char text[8] = {0};
    struct iovec into = {text, 6};
    VALUE(CALL(vmsplice, a[0], &into, 1L, 0));
    puts(text);
    into.iov_base = NOWHERE;
    ASK(CALL(vmsplice, a[0], &into, 1L, 0));
    show(a[0]);
    int pair[2], zero = open("/dev/zero", O_RDWR);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    VALUE(write(a[1], "socket", 6));
    VALUE(CALL(splice, a[0], NULL, pair[0], NULL, 100L, 0));
    VALUE(CALL(splice, pair[1], NULL, a[1], NULL, 100L, 0));
    show(a[0]);
    VALUE(CALL(splice, zero, NULL, a[1], NULL, 100L, 0));
    VALUE(CALL(splice, a[0], NULL, zero, NULL, 1000L, 0));
    close(pair[0]);
    VALUE(CALL(splice, pair[1], NULL, a[1], NULL, 100L, 0));
    close(pair[1]), close(zero);
}

static void waits(void)
{
    static char page[PAGE];
    struct iovec one = {page, sizeof page};
    while (CALL(vmsplice, b[1], &one, 1L, 2) > 0)
        ;
    printf("full: %s\n", strerrorname_np(errno));
    struct pollfd ready = {b[1], POLLOUT, 0};
    VALUE(poll(&ready, 1, 0));
    write(a[1], "x", 1);
    ASK(CALL(splice, a[0], NULL, b[1], NULL, 1L, 2));
    ASK(CALL(tee, a[0], b[1], 1L, 2));
    show(a[0]);
    fcntl(a[0], F_SETFL, O_NONBLOCK);
    ASK(CALL(splice, a[0], NULL, file, NULL, 1L, 0));
    ASK(CALL(tee, a[0], b[1], 1L, 0));
    fcntl(a[0], F_SETFL, 0);
    pid_t child = fork();
    if (!child) {
        usleep(20000);
        write(a[1], "late", 4);
        usleep(20000);
        read(b[0], page, sizeof page);
        _exit(0);
    }
    VALUE(CALL(splice, a[0], NULL, b[1], NULL, 100L, 0));
    waitpid(child, NULL, 0);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = {.it_value = {0, 20000}}, never = {0};
    setitimer(ITIMER_REAL, &soon, NULL);
    ASK(CALL(splice, a[0], NULL, file, NULL, 1L, 0));
    setitimer(ITIMER_REAL, &soon, NULL);
    ASK(CALL(vmsplice, a[0], &one, 1L, 0));
    setitimer(ITIMER_REAL, &never, NULL);
}

static void ended(void)
{
    struct iovec one = {"x", 1};
    write(a[1], "rest", 4);
    close(a[1]);
    close(b[0]);
    APART(CALL(splice, a[0], NULL, b[1], NULL, 1L, 0));
    APART(CALL(tee, a[0], b[1], 1L, 0));
    APART(CALL(vmsplice, b[1], &one, 1L, 0));
    signal(SIGPIPE, SIG_IGN);
    ASK(CALL(splice, a[0], NULL, b[1], NULL, 1L, 0));
    ASK(CALL(splice, file, NULL, b[1], NULL, 1L, 0));
    VALUE(CALL(splice, a[0], NULL, file, NULL, 100L, 0));
    VALUE(CALL(splice, a[0], NULL, file, NULL, 100L, 0));
    int c[2];
    pipe(c);
    VALUE(CALL(splice, a[0], NULL, c[1], NULL, 100L, 0));
    VALUE(CALL(tee, a[0], c[1], 100L, 0));
    VALUE(CALL(vmsplice, a[0], &one, 1L, 0));
}

int main(void)
{
    pipe(a);
    pipe(b);
    file = bytes_file(0);
    refused();
    moves();
    waits();
    ended();
}

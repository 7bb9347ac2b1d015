/* Pseudo-terminals: opening, the line discipline, packet mode, polling (pty(7), tty_ioctl(4)). */
#include "calls.h"
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

static int master, slave;
static char name[64], bytes[16384];

/* Lets the kernel process what was written before. */
static void settle(void) { usleep(5000); }

static void shown(const char *what, const char *data, long count)
{
    printf("%s: ", what);
    if (count < 0)
        printf("%s", strerrorname_np(errno));
    for (long i = 0; i < count; i++)
        if (data[i] >= ' ' && data[i] < 127 && data[i] != '\\')
            putchar(data[i]);
        else
            printf("\\%02x", (unsigned char)data[i]);
    printf("|\n");
    fflush(stdout);
    errno = 0;
}

/* Prints what can be read now. */
static void got_at_most(const char *what, int fd, long most)
{
    int flags = fcntl(fd, F_GETFL);
    settle();
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    long count = read(fd, bytes, most);
    shown(what, bytes, count);
    fcntl(fd, F_SETFL, flags);
}
#define GOT(fd) got_at_most("  " #fd, fd, sizeof bytes)
#define GOT_OF(fd, most) got_at_most("  " #fd " of " #most, fd, most)

static void typed_(const char *source, const char *text, int count)
{
    printf("typed %s\n", source);
    if (write(master, text, count) != count)
        printf("short\n");
    settle();
}
#define TYPED(text) typed_(#text, text, sizeof(text) - 1)
#define TYPE(text) (TYPED(text), GOT(master), GOT(slave))

static int events(int fd)
{
    struct pollfd one = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM, 0};
    settle();
    poll(&one, 1, 0);
    return one.revents;
}

static int number(int fd, unsigned long request)
{
    int value = -77;
    settle();
    return ioctl(fd, request, &value) ? -1 : value;
}

/* Sets and clears bits of the flags. */
static void with(int iflag, int not_i, int oflag, int not_o, int lflag, int not_l)
{
    struct termios now;
    tcgetattr(slave, &now);
    now.c_iflag = (now.c_iflag | iflag) & ~not_i;
    now.c_oflag = (now.c_oflag | oflag) & ~not_o;
    now.c_lflag = (now.c_lflag | lflag) & ~not_l;
    tcsetattr(slave, TCSANOW, &now);
}
static void character(int which, int value)
{
    struct termios now;
    tcgetattr(slave, &now);
    now.c_cc[which] = value;
    tcsetattr(slave, TCSANOW, &now);
}

static void print_settings(int fd)
{
    struct termios now;
    ASK(tcgetattr(fd, &now));
    printf("  %x %x %x %x %d:", now.c_iflag, now.c_oflag, now.c_cflag, now.c_lflag, now.c_line);
    for (int i = 0; i < 19; i++)
        printf(" %d", now.c_cc[i]);
    printf("\n");
}

static void begin_pair(void)
{
    if (master > 0)
        close(master), close(slave);
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    unlockpt(master);
    ptsname_r(master, name, sizeof name);
    slave = open(name, O_RDWR | O_NOCTTY);
}

static void opening(void)
{
    struct stat status;
    int locked = 1, none = 0;
    ASK(master = open("/dev/ptmx", O_RDWR | O_NOCTTY));
    VALUE(ioctl(master, TIOCGPTN, &none));
    ASK(ioctl(master, TIOCGPTN, NOWHERE));
    sprintf(name, "/dev/pts/%d", none);
    VALUE(number(master, TIOCGPTLCK));
    ASK(open(name, O_RDWR | O_NOCTTY));
    ASK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY) < 0 ? -1 : 0);
    ASK(ioctl(master, TIOCSPTLCK, NOWHERE));
    locked = 0;
    ASK(ioctl(master, TIOCSPTLCK, &locked));
    VALUE(number(master, TIOCGPTLCK));
    ASK(slave = open(name, O_RDWR | O_NOCTTY));
    fstat(slave, &status);
    VALUE(S_ISCHR(status.st_mode));
    VALUE(major(status.st_rdev));
    VALUE(minor(status.st_rdev) == none);
    VALUE(status.st_uid == getuid());
    VALUE(status.st_size);
    VALUE(status.st_nlink);
    VALUE(number(slave, TIOCGDEV) == status.st_rdev);
    VALUE(number(master, TIOCGDEV) == status.st_rdev);
    fstat(master, &status);
    VALUE(major(status.st_rdev));
    VALUE(minor(status.st_rdev));
    VALUE(isatty(master));
    VALUE(isatty(slave));
    VALUE(strcmp(ttyname(slave), name));
    VALUE(fcntl(slave, F_GETFL));
    VALUE(lseek(slave, 0, SEEK_SET));
    ASK(pread(slave, bytes, 1, 0));
    ASK(pwrite(slave, bytes, 1, 0));
    ASK(ftruncate(slave, 0));
    ASK(ioctl(slave, TIOCGPTN, &none));
    ASK(ioctl(slave, TIOCSPTLCK, &none));
    ASK(ioctl(slave, TIOCPKT, &none));
    ASK(ioctl(slave, TIOCGPTPEER, O_RDWR));
    ASK(ioctl(slave, 0x54ff, &none));
    ASK(ioctl(slave, TIOCMGET, &none));
    VALUE(number(slave, TIOCGETD));
    int peer = ioctl(master, TIOCGPTPEER, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    VALUE(fcntl(peer, F_GETFD));
    VALUE(fcntl(peer, F_GETFL));
    ASK(write(peer, "x", 1));
    close(peer);
    VALUE(number(slave, TIOCGEXCL));
    ASK(ioctl(slave, TIOCEXCL, 0));
    VALUE(number(slave, TIOCGEXCL));
    ASK(open(name, O_RDWR | O_NOCTTY));
    ASK(ioctl(slave, TIOCNXCL, 0));
    ASK(access(name, R_OK | W_OK));
    ASK(chmod(name, 0640));
    ASK(stat(name, &status));
    VALUE(status.st_mode);
    ASK(unlink(name));
    ASK(open("/dev/pts/9999", O_RDWR));
    ASK(open("/dev/pts/new", O_RDWR | O_CREAT, 0600));
    print_settings(slave);
    print_settings(master);
}

static void window(void)
{
    struct winsize size = {1, 2, 3, 4};
    ASK(ioctl(slave, TIOCGWINSZ, &size));
    VALUE(size.ws_row + size.ws_col + size.ws_xpixel);
    size = (struct winsize){24, 80, 7, 9};
    ASK(ioctl(master, TIOCSWINSZ, &size));
    size.ws_row = 0;
    ASK(ioctl(slave, TIOCGWINSZ, &size));
    VALUE(size.ws_row);
    size.ws_col = 99;
    ASK(ioctl(slave, TIOCSWINSZ, &size));
    ASK(ioctl(master, TIOCGWINSZ, &size));
    VALUE(size.ws_col);
    ASK(ioctl(slave, TIOCSWINSZ, NOWHERE));
    ASK(ioctl(slave, TIOCGWINSZ, NOWHERE));
    ASK(ioctl(slave, TCGETS, NOWHERE));
    ASK(ioctl(slave, TCSETS, NOWHERE));
}

static void lines(void)
{
    TYPE("hello\n");
    TYPED("two\nlines\n"); GOT(slave); GOT(slave); GOT(slave);
    TYPED("part"); VALUE(events(slave)); VALUE(number(slave, FIONREAD)); GOT(slave);
    TYPED("ial\n"); VALUE(events(slave)); VALUE(number(slave, FIONREAD)); GOT_OF(slave, 3); GOT(slave);
    GOT(master);
    VALUE(number(master, FIONREAD));
    VALUE(number(slave, TIOCOUTQ));
    TYPE("return\r");
    TYPE("erase\x7fx\n");
    TYPE("\x7f\n");
    TYPE("kill\x15word\n");
    TYPE("two words\x17one\n");
    TYPE("dots.. \x17\n");
    TYPE("a\tb\x7f\x7f\x7f\n");
    TYPE("tab\t\x7f\n");
    TYPE("control\x01\x02\x7f\n");
    TYPE("escaped\x16\x03\x16\x7f\n");
    TYPE("reprint\x12ed\n");
    TYPE("\x04");
    TYPED("no newline\x04"); GOT(slave); GOT(slave);
    TYPED("abc\x04"); GOT_OF(slave, 3); GOT(slave);
    TYPED("a\x04\x04z\n"); GOT(slave); GOT(slave); GOT(slave);
    GOT(master);
    character(VEOL, '.'); character(VEOL2, ',');
    TYPED("one.two,three\n"); GOT(slave); GOT(slave); GOT(slave);
    character(VEOL, 0); character(VEOL2, 0);
    GOT(master);
    with(0, 0, 0, 0, 0, ECHOE); TYPE("ab\x7f\n");
    with(0, 0, 0, 0, 0, ECHOKE); TYPE("ab\x15\n");
    with(0, 0, 0, 0, 0, ECHOK); TYPE("ab\x15\n");
    with(0, 0, 0, 0, ECHOE | ECHOK | ECHOKE | ECHOPRT, 0); TYPE("abc\x7f\x7fx\n"); TYPE("ab\x7f\x7f");
    TYPE("\n");
    with(0, 0, 0, 0, 0, ECHOPRT | ECHOCTL); TYPE("c\x01\x7f\x7f\x04"); TYPE("\n");
    with(0, 0, 0, 0, 0, ECHO); TYPE("no echo\x7f\n");
    with(0, 0, 0, 0, ECHONL, 0); TYPE("newline\x15k\n");
    with(0, 0, 0, 0, ECHO | ECHOCTL, ECHONL | IEXTEN); TYPE("a b\x17\x16\x12\n");
    with(0, 0, 0, 0, IEXTEN, 0);
    with(IUTF8, 0, 0, 0, 0, 0); TYPE("\xc3\xa9\x7f!\n");
    with(0, IUTF8, 0, 0, 0, 0);
}

static void conversions(void)
{
    with(INLCR, ICRNL, 0, 0, 0, 0); TYPE("a\nb\r"); TYPE("\x04");
    with(IGNCR, INLCR, 0, 0, 0, 0); TYPE("a\rb\n");
    with(0, IGNCR, 0, 0, 0, 0); TYPE("a\rb\n");
    with(ICRNL | ISTRIP, 0, 0, 0, 0, 0); TYPE("\xe1\xff\n");
    with(IUCLC, ISTRIP, 0, 0, 0, 0); TYPE("ABc\n");
    with(PARMRK, IUCLC, 0, 0, 0, 0); TYPE("\xff\n");
    with(0, PARMRK, 0, 0, 0, 0); TYPE("\xff\n");
    const char *text = "a\nb\rc\td\be\x01\n";
#define WRITTEN(o, not_o) (with(0, 0, o, not_o, 0, 0), write(slave, text, strlen(text)), settle(), printf("written " #o ", " #not_o "\n"), GOT(master))
    WRITTEN(0, 0);
    WRITTEN(0, OPOST);
    WRITTEN(OPOST, ONLCR);
    WRITTEN(OCRNL, 0);
    WRITTEN(ONLRET, 0);
    WRITTEN(ONOCR, OCRNL | ONLRET);
    WRITTEN(ONLCR | OLCUC, ONOCR);
    WRITTEN(XTABS, OLCUC);
    with(0, 0, 0, TABDLY, 0, 0);
    write(slave, "prompt\t", 7); TYPE("x\ty\x7f\x7f\x7f\n");
}

static void raw(void)
{
    struct termios before, now;
    tcgetattr(slave, &before);
    TYPED("line\nrest"); VALUE(number(slave, FIONREAD));
    with(0, 0, 0, 0, 0, ICANON);
    VALUE(number(slave, FIONREAD)); GOT(slave);
    TYPED("more"); with(0, 0, 0, 0, ICANON, 0);
    VALUE(number(slave, FIONREAD)); VALUE(events(slave)); GOT(slave); TYPE("x\n");
    TYPED("end\x04"); with(0, 0, 0, 0, 0, ICANON); GOT(slave);
    tcgetattr(slave, &now);
    cfmakeraw(&now);
    ASK(tcsetattr(slave, TCSADRAIN, &now));
    GOT(master);
    TYPE("\x03\x04\x7f\r\n\x11\x13\xff");
    TYPED("flushed"); ASK(tcsetattr(slave, TCSAFLUSH, &now)); GOT(slave);
    TYPED("flushed"); ASK(tcflush(slave, TCIFLUSH)); GOT(slave);
    TYPED("not flushed"); ASK(tcflush(slave, TCOFLUSH)); GOT(slave);
    TYPED("flushed"); ASK(tcflush(slave, TCIOFLUSH)); GOT(slave);
    ASK(ioctl(slave, TCFLSH, 3));
    ASK(ioctl(slave, TCXONC, 4));
    ASK(ioctl(slave, TCSBRK, 1));
    character(VMIN, 4);
    TYPED("abc"); VALUE(events(slave)); GOT(slave);
    TYPED("abcd"); VALUE(events(slave)); VALUE(read(slave, bytes, 9));
    TYPED("abcdef"); VALUE(read(slave, bytes, 2)); VALUE(read(slave, bytes, 9));
    character(VTIME, 1);
    TYPED("ab"); VALUE(events(slave)); VALUE(read(slave, bytes, 9));
    if (!fork()) {
        for (int i = 0; i < 3; i++)
            usleep(50000), write(master, "z", 1);
        _exit(0);
    }
    VALUE(read(slave, bytes, 9)); /* between bytes less than the limit passes */
    wait(NULL);
    character(VMIN, 0);
    VALUE(events(slave)); VALUE(read(slave, bytes, 9)); GOT(slave);
    TYPED("ab"); VALUE(read(slave, bytes, 9));
    character(VTIME, 0);
    VALUE(read(slave, bytes, 9)); GOT(slave);
    character(VMIN, 1);
    if (!fork())
        usleep(30000), write(master, "later", 5), _exit(0);
    VALUE(read(slave, bytes, 9));
    wait(NULL);
    tcsetattr(slave, TCSANOW, &before);
}

static void interrupting(int signo) {}
static void blocked(void)
{
    /* A full line keeps room for its end; the rest is lost. */
    memset(bytes, 'x', sizeof bytes);
    with(0, 0, 0, 0, 0, ECHO);
    for (int i = 0; i < 6; i++)
        write(master, bytes, 1000), settle();
    TYPED("\n"); VALUE(read(slave, bytes, sizeof bytes)); VALUE(bytes[4094]); VALUE(bytes[4095]);
    /* A reader in the middle of a read of several bytes is interrupted. */
    with(0, 0, 0, 0, 0, ICANON);
    character(VMIN, 5);
    struct sigaction action = {.sa_handler = interrupting};
    sigaction(SIGALRM, &action, NULL);
    TYPED("ab"); ualarm(30000, 0); VALUE(read(slave, bytes, 9));
    ualarm(30000, 0); VALUE(read(slave, bytes, 9));
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    if (!fork())
        usleep(60000), write(master, "fiver", 5), _exit(0);
    ualarm(30000, 0); VALUE(read(slave, bytes, 9));
    wait(NULL);
    character(VMIN, 1);
    /* Writes wait for a reader; what arrives is all there, in order. */
    if (!fork()) {
        for (int i = 0; i < 5000; i++)
            dprintf(slave, "%08d\n", i);
        _exit(0);
    }
    long total = 0, count, sum = 0;
    while (total < 50000 && (count = read(master, bytes, 3000)) > 0)
        for (long i = total += count, k = 0; k < count; k++)
            sum = (sum * 31 + bytes[k]) & 0xffffff;
    wait(NULL);
    VALUE(total); VALUE(sum);
    fcntl(slave, F_SETFL, O_NONBLOCK);
    memset(bytes, 'y', sizeof bytes);
    for (total = 0; (count = write(slave, bytes, 1000)) > 0;)
        total += count;
    ASK(count);
    VALUE(total > 4000 && total < 100000);
    fcntl(slave, F_SETFL, 0);
    while (total > 0 && (count = read(master, bytes, sizeof bytes)) > 0)
        total -= count;
    VALUE(total); VALUE(events(slave) & POLLOUT);
    fcntl(master, F_SETFL, O_NONBLOCK);
    for (total = 0; (count = write(master, bytes, 1000)) > 0; settle())
        total += count;
    ASK(count);
    VALUE(events(master) & POLLOUT);
    fcntl(master, F_SETFL, 0);
    ASK(tcflush(slave, TCIFLUSH));
    settle();
    ASK(tcflush(slave, TCIFLUSH));
    while (events(slave) & POLLIN)
        read(slave, bytes, sizeof bytes);
    VALUE(events(master) & POLLOUT);
    ASK(read(slave, NOWHERE, 0)); ASK(write(slave, NOWHERE, 0)); ASK(write(slave, NOWHERE, 1));
    TYPED("q"); ASK(read(slave, NOWHERE, 1));
    with(0, 0, 0, 0, ICANON | ECHO, 0);
    begin_pair();
}

static void flow(void)
{
    TYPE("\x13"); VALUE(events(slave) & POLLOUT);
    fcntl(slave, F_SETFL, O_NONBLOCK);
    ASK(write(slave, "held", 4));
    TYPED("typed"); GOT(master);
    TYPED("\x11"); GOT(master); ASK(write(slave, "free", 4)); GOT(master);
    TYPED("\x13"); with(0, IXON, 0, 0, 0, 0); ASK(write(slave, "free", 4)); GOT(master);
    with(IXON | IXANY, 0, 0, 0, 0, 0);
    TYPED("\x13"); ASK(write(slave, "held", 4)); TYPED("x"); ASK(write(slave, "free", 4)); GOT(master);
    with(0, IXANY, 0, 0, 0, 0);
    ASK(tcflow(slave, TCOOFF)); ASK(write(slave, "held", 4)); TYPED("\x11"); ASK(write(slave, "held", 4));
    ASK(tcflow(slave, TCOON)); ASK(write(slave, "free", 4)); GOT(master);
    ASK(tcflow(slave, TCIOFF)); GOT(master); ASK(tcflow(slave, TCION)); GOT(master);
    fcntl(slave, F_SETFL, 0);
    TYPED("\x13");
    if (!fork())
        _exit(write(slave, "waited", 6) != 6);
    settle(); GOT(master); TYPED("\x11"); wait(NULL); GOT(master);
    TYPE("\n");
}

static void packets(void)
{
    int on = 1;
    VALUE(number(master, TIOCGPKT));
    ASK(ioctl(master, TIOCPKT, NOWHERE));
    ASK(ioctl(master, TIOCPKT, &on));
    VALUE(number(master, TIOCGPKT));
    VALUE(events(master));
    write(slave, "data", 4); VALUE(events(master)); GOT_OF(master, 3); GOT(master); GOT(master);
    tcflush(slave, TCIFLUSH); VALUE(events(master)); GOT(master);
    tcflush(slave, TCOFLUSH); GOT(master);
    tcflush(slave, TCIOFLUSH); GOT(master);
    tcflow(slave, TCOOFF); GOT(master); tcflow(slave, TCOON); GOT(master);
    with(0, IXON, 0, 0, 0, 0); GOT(master); with(IXON, 0, 0, 0, 0, 0); GOT(master);
    with(0, 0, 0, 0, EXTPROC, 0); GOT(master); with(0, 0, 0, 0, 0, EXTPROC); GOT(master);
    TYPED("\x13"); GOT(master); TYPED("\x11"); GOT(master);
    tcflush(slave, TCIFLUSH); write(slave, "both", 4); settle(); GOT(master); GOT(master);
    on = 0;
    ASK(ioctl(master, TIOCPKT, &on));
    GOT(master);
}

static void closing(void)
{
    int old, set = epoll_create1(0);
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLET};
    write(slave, "last words", 10);
    close(slave); settle();
    VALUE(events(master)); VALUE(read(master, bytes, 4)); VALUE(read(master, bytes, 99));
    ASK(read(master, bytes, 1)); VALUE(events(master)); ASK(write(master, "kept\n", 5)); GOT(master);
    GOT(master);
    ASK(slave = open(name, O_RDWR | O_NOCTTY)); VALUE(events(master)); GOT(slave); GOT(master);
    old = open(name, O_RDWR | O_NOCTTY);
    close(old); VALUE(events(master));
    if (!fork())
        usleep(30000), close(slave), _exit(0);
    close(slave);
    ASK(read(master, bytes, 1)); /* until the child has closed it too */
    wait(NULL);
    slave = open(name, O_RDWR | O_NOCTTY);
    epoll_ctl(set, EPOLL_CTL_ADD, slave, &event);
    VALUE(epoll_wait(set, &event, 1, 0)); VALUE(event.events); VALUE(epoll_wait(set, &event, 1, 0));
    TYPED("x\n"); VALUE(epoll_wait(set, &event, 1, 0)); VALUE(event.events);
    VALUE(epoll_wait(set, &event, 1, 0));
    close(master); settle();
    VALUE(epoll_wait(set, &event, 1, 0)); VALUE(event.events);
    VALUE(events(slave)); VALUE(read(slave, bytes, 9)); ASK(write(slave, "x", 1));
    ASK(ioctl(slave, TCGETS, bytes)); ASK(ioctl(slave, TIOCSPGRP, bytes)); VALUE(isatty(slave));
    ASK(open(name, O_RDWR)); ASK(fstat(slave, (struct stat *)bytes));
    close(slave);
    begin_pair();
    int all[2];
    pipe(all);
    if (!fork()) {
        close(master);
        long count = read(slave, bytes, 9);
        errno = count < 0 ? errno : 0;
        int result = count < 0 ? errno : 100 + count;
        write(all[1], &result, 4), _exit(0);
    }
    usleep(30000);
    close(master);
    int result;
    read(all[0], &result, 4);
    VALUE(result == EIO || result == 100); /* Linux: depends on what the reader sees first */
    wait(NULL);
    master = -1, close(slave);
}

int main(void)
{
    opening();
    window();
    lines();
    conversions();
    begin_pair();
    raw();
    begin_pair();
    blocked();
    flow();
    begin_pair();
    packets();
    closing();
    return 0;
}

/* A pseudo-terminal as controlling terminal: sessions, foreground groups, signals, hangups. */
#include "calls.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;
static char name[64], bytes[256];
static volatile sig_atomic_t caught;

static void settle(void) { usleep(10000); }

static void begin_pair(void)
{
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    unlockpt(master);
    ptsname_r(master, name, sizeof name);
    slave = open(name, O_RDWR | O_NOCTTY);
}

static void note(int signo) { caught |= 1 << signo; }
static void catching(int signo, int flags)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = flags};
    sigaction(signo, &action, NULL);
}
static int caught_so_far(void)
{
    int result = caught;
    caught = 0;
    return result;
}

/* Runs a body in a child that leads a session; prints how it ended. */
static void in_session(const char *what, void (*body)(void))
{
    int status;
    printf("- %s\n", what);
    fflush(stdout);
    begin_pair();
    pid_t child = fork();
    if (!child) {
        setsid();
        body();
        _exit(0);
    }
    if (slave >= 0)
        close(slave);
    waitpid(child, &status, 0);
    VALUE(status);
    close(master);
}
#define IN_SESSION(body) in_session(#body, body)

static int become_controlled(void) { return ioctl(slave, TIOCSCTTY, 0); }
static int stat_field(int pid, int field)
{
    char path[64], text[1024], *at;
    sprintf(path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    text[read(fd, text, sizeof text - 1)] = 0;
    close(fd);
    at = strrchr(text, ')') + 2;
    for (field -= 3; field; field--)
        at = strchr(at, ' ') + 1;
    return atoi(at);
}
static int group_in(int fd)
{
    int group = -5;
    return ioctl(fd, TIOCGPGRP, &group) ? -1 : group;
}
static int in_child(int (*act)(void), int own_group)
{
    int status;
    pid_t child = fork();
    if (!child) {
        if (own_group)
            setpgid(0, 0);
        errno = 0;
        int result = act();
        _exit(result < 0 ? errno : 100 + result);
    }
    if (waitpid(child, &status, WUNTRACED) != child)
        return -1;
    if (WIFSTOPPED(status)) {
        kill(child, SIGKILL), waitpid(child, NULL, 0);
        return 1000 + WSTOPSIG(status);
    }
    return WIFSIGNALED(status) ? 2000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void by_ioctl(void)
{
    int fd, group = 0;
    struct stat status;
    ASK(open("/dev/tty", O_RDWR));
    VALUE(stat_field(getpid(), 7));
    VALUE(stat_field(getpid(), 8));
    VALUE(isatty(slave));
    ASK(group_in(slave));
    VALUE(group_in(master));
    ASK(ioctl(slave, TIOCGSID, &group));
    ASK(ioctl(master, TIOCGSID, &group));
    ASK(ioctl(slave, TIOCSPGRP, &group));
    ASK(ioctl(slave, TIOCSPGRP, NOWHERE));
    ASK(ioctl(slave, TIOCNOTTY));
    ASK(ioctl(master, TIOCSCTTY, 0));
    ASK(ioctl(slave, TIOCSCTTY, 0));
    ASK(ioctl(slave, TIOCSCTTY, 0));
    fstat(slave, &status);
    VALUE(stat_field(getpid(), 7) == status.st_rdev);
    VALUE(stat_field(getpid(), 8) == getpgrp());
    VALUE(group_in(slave) == getpgrp());
    VALUE(group_in(master) == getpgrp());
    VALUE(tcgetsid(slave) == getpid());
    VALUE(tcgetsid(master) == getpid());
    ASK(fd = open("/dev/tty", O_RDWR));
    fstat(fd, &status);
    VALUE(status.st_rdev);
    VALUE(strcmp(ttyname(fd), "/dev/tty"));
    VALUE(fcntl(fd, F_GETFL));
    VALUE(tcgetsid(fd) == getpid());
    ASK(write(fd, "by tty\n", 7));
    VALUE(read(master, bytes, sizeof bytes));
    group = -1; ASK(ioctl(slave, TIOCSPGRP, &group));
    group = 99999; ASK(ioctl(slave, TIOCSPGRP, &group));
    group = getppid(); ASK(ioctl(slave, TIOCSPGRP, &group));
    ASK(ioctl(slave, TIOCSPGRP, NOWHERE));
    group = getpid(); ASK(ioctl(slave, TIOCSPGRP, &group));
    group = getpid(); ASK(ioctl(master, TIOCSPGRP, &group));
}

static void by_open(void)
{
    int fd;
    close(slave);
    slave = -1;
    ASK(open("/dev/tty", O_RDWR));
    fd = open("/dev/ptmx", O_RDWR);
    ASK(open("/dev/tty", O_RDWR));
    fd = open(name, O_WRONLY);
    ASK(open("/dev/tty", O_RDWR));
    ASK(fd = open(name, O_RDWR));
    ASK(open("/dev/tty", O_RDWR));
    VALUE(tcgetsid(fd) == getpid());
    ASK(setsid());
    begin_pair();
    ASK(become_controlled());
    ASK(ioctl(slave, TIOCNOTTY, 0));
    signal(SIGHUP, SIG_IGN);
    ASK(ioctl(fd, TIOCNOTTY, 0));
    ASK(open("/dev/tty", O_RDWR));
    ASK(become_controlled());
}

static int becomes(void) { return become_controlled(); }
static int drops(void) { return ioctl(slave, TIOCNOTTY, 0) ? -1 : open("/dev/tty", O_RDWR) < 0 ? errno : 99; }
static int leads_another(void) { setsid(); return open("/dev/tty", O_RDWR) >= 0 ? 1 : becomes(); }
static int reads(void) { return read(slave, bytes, 9); }
static int reads_blocking(void) { sigset_t set; sigfillset(&set); sigprocmask(SIG_BLOCK, &set, NULL); return reads(); }
static int reads_ignoring(void) { signal(SIGTTIN, SIG_IGN); return reads(); }
static int writes(void) { return write(slave, "w", 1); }
static int sets(void) { struct termios now; tcgetattr(slave, &now); return tcsetattr(slave, TCSANOW, &now); }
static int sets_ignoring(void) { signal(SIGTTOU, SIG_IGN); return sets(); }
static int sets_group(void) { int group = getpgrp(); return ioctl(slave, TIOCSPGRP, &group); }
static int sets_group_ignoring(void) { signal(SIGTTOU, SIG_IGN); return sets_group(); }
static int flushes(void) { return tcflush(slave, TCIFLUSH); }
static int asks(void) { struct termios now; return tcgetattr(slave, &now); }
static int resizes(void) { struct winsize size = {5, 5}; return ioctl(slave, TIOCSWINSZ, &size); }
static int orphaned(int (*act)(void))
{
    /* A process whose parent is in another session has no shell that could continue it. */
    pid_t child;
    int status, ends[2];
    pipe(ends);
    if (!(child = fork())) {
        if (!fork()) {
            setpgid(0, 0);
            while (getppid() == child) ;
            usleep(20000);
            errno = 0;
            int result = act();
            result = result < 0 ? errno : 100 + result;
            write(ends[1], &result, 4);
            _exit(0);
        }
        _exit(0);
    }
    waitpid(child, &status, 0);
    read(ends[0], &status, 4);
    return status;
}
static int orphan_reads(void) { return orphaned(reads); }
static int orphan_sets(void) { return orphaned(sets); }
static int orphan_sets_group(void) { return orphaned(sets_group); }

static void children(void)
{
    struct termios now;
    become_controlled();
    VALUE(in_child(becomes, 0));
    VALUE(in_child(leads_another, 0));
    VALUE(in_child(drops, 0));
    write(master, "line\n", 5); settle();
    VALUE(in_child(reads, 0));
    write(master, "line\n", 5); settle();
    VALUE(in_child(reads, 1));
    VALUE(in_child(reads_ignoring, 1));
    VALUE(in_child(reads_blocking, 1));
    VALUE(in_child(writes, 1));
    VALUE(in_child(sets, 1));
    VALUE(in_child(sets_ignoring, 1));
    VALUE(in_child(flushes, 1));
    VALUE(in_child(asks, 1));
    VALUE(in_child(resizes, 1));
    VALUE(in_child(sets_group, 1));
    VALUE(in_child(sets_group_ignoring, 1));
    signal(SIGTTOU, SIG_IGN);
    VALUE(tcsetpgrp(slave, getpgrp()));
    signal(SIGTTOU, SIG_DFL);
    tcgetattr(slave, &now);
    now.c_lflag |= TOSTOP;
    tcsetattr(slave, TCSANOW, &now);
    VALUE(in_child(writes, 0));
    VALUE(in_child(writes, 1));
    VALUE(in_child(orphan_reads, 0));
    VALUE(in_child(orphan_sets, 0));
    VALUE(in_child(orphan_sets_group, 0));
}

static void keys(void)
{
    pid_t other;
    become_controlled();
    catching(SIGINT, SA_RESTART), catching(SIGQUIT, SA_RESTART), catching(SIGTSTP, SA_RESTART);
    catching(SIGWINCH, SA_RESTART), catching(SIGTTOU, 0);
    write(master, "a\x03", 2); settle(); VALUE(caught_so_far());
    write(master, "\x1c\x1a", 2); settle(); VALUE(caught_so_far());
    VALUE(read(master, bytes, sizeof bytes));
    write(master, "b\n", 2); settle(); VALUE(read(slave, bytes, 9));
    struct termios now;
    tcgetattr(slave, &now);
    now.c_lflag |= NOFLSH;
    tcsetattr(slave, TCSANOW, &now);
    write(master, "a\x03", 2); settle(); VALUE(caught_so_far());
    write(master, "b\n", 2); settle(); VALUE(read(slave, bytes, 9));
    struct winsize size = {2, 2};
    ASK(ioctl(master, TIOCSWINSZ, &size)); VALUE(caught_so_far());
    ASK(ioctl(master, TIOCSWINSZ, &size)); VALUE(caught_so_far());
    size.ws_col++;
    ASK(ioctl(slave, TIOCSWINSZ, &size)); VALUE(caught_so_far());
    ASK(ioctl(master, TIOCSIG, SIGINT)); VALUE(caught_so_far());
    ASK(ioctl(master, TIOCSIG, SIGTERM));
    ASK(ioctl(slave, TIOCSIG, SIGINT));
    /* Signals go to the foreground group, of all its processes. */
    if (!(other = fork())) {
        signal(SIGTSTP, SIG_DFL);
        setpgid(0, 0);
        for (;;) pause();
    }
    settle();
    setpgid(other, other);
    VALUE(tcsetpgrp(slave, other));
    write(master, "\x1a", 1); settle(); VALUE(caught_so_far());
    int status = 0;
    VALUE(waitpid(other, &status, WUNTRACED) == other);
    VALUE(status);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    VALUE(caught_so_far());
    signal(SIGTTOU, SIG_IGN);
    VALUE(tcsetpgrp(slave, getpgrp()));
    /* Ctrl-C breaks off a read. */
    signal(SIGINT, SIG_DFL);
    if (!(other = fork())) {
        read(slave, bytes, 9);
        _exit(1);
    }
    catching(SIGINT, SA_RESTART);
    settle();
    write(master, "\x03", 1);
    waitpid(other, &status, 0);
    VALUE(status);
    now.c_lflag &= ~ISIG;
    tcsetattr(slave, TCSANOW, &now);
    caught = 0;
    write(master, "\x03\n", 2); settle(); VALUE(caught_so_far());
    VALUE(read(slave, bytes, 9));
}

static void master_closes(void)
{
    become_controlled();
    catching(SIGHUP, 0), catching(SIGCONT, 0);
    int member = fork();
    if (!member) {
        close(master);
        settle(), settle(), settle();
        _exit(caught_so_far() | (open("/dev/tty", O_RDWR) < 0));
    }
    settle();
    close(master);
    VALUE(caught_so_far() == (1 << SIGHUP | 1 << SIGCONT));
    int status;
    while (waitpid(member, &status, 0) < 0) ;
    VALUE(status);
    ASK(open("/dev/tty", O_RDWR));
    VALUE(stat_field(getpid(), 7));
    VALUE(read(slave, bytes, 9));
    ASK(write(slave, "x", 1));
}

static void killed_by_hangup(void)
{
    become_controlled();
    close(master);
    pause();
}

static int told[2];
static void leader_ends(void)
{
    become_controlled();
    int ready[2];
    pipe(ready);
    for (int own_group = 0; own_group < 2; own_group++)
        if (!fork()) {
            catching(SIGHUP, 0), catching(SIGCONT, 0);
            if (own_group)
                setpgid(0, 0);
            close(told[0]);
            write(ready[1], "x", 1);
            usleep(200000); /* ended by a signal */
            if (!own_group) {
                int result[2] = {caught_so_far(), open("/dev/tty", O_RDWR) < 0 ? errno : 0};
                write(told[1], result, sizeof result);
                int wrote = write(slave, "still", 5);
                write(told[1], &wrote, sizeof wrote);
            }
            _exit(0);
        }
    read(ready[0], bytes, 1), read(ready[0], bytes, 1);
}

int main(void)
{
    IN_SESSION(by_ioctl);
    IN_SESSION(by_open);
    IN_SESSION(children);
    IN_SESSION(keys);
    close(master);
    begin_pair();
    printf("- closing\n");
    fflush(stdout);
    pid_t child = fork();
    int status;
    if (!child) {
        setsid(), master_closes();
        _exit(0);
    }
    close(master), close(slave);
    VALUE(waitpid(child, &status, 0) == child ? status : -1);
    begin_pair();
    if (!(child = fork())) {
        setsid(), killed_by_hangup();
        _exit(0);
    }
    close(master), close(slave);
    VALUE(waitpid(child, &status, 0) == child ? status : -1);
    pipe(told);
    IN_SESSION(leader_ends);
    int result[3] = {0};
    close(told[1]);
    for (char *at = (char *)result; read(told[0], at, 4) == 4;)
        at += 4;
    VALUE(result[0]);
    VALUE(result[1]);
    VALUE(result[2]);
    /* openpty and forkpty of the C library. */
    ASK(openpty(&master, &slave, name, NULL, NULL));
    VALUE(strncmp(name, "/dev/pts/", 9));
    close(master), close(slave);
    if (!(child = forkpty(&master, NULL, NULL, NULL))) {
        printf("%d %d %d\n", isatty(0), tcgetsid(0) == getpid(), tcgetpgrp(1) == getpid());
        fflush(stdout);
        _exit(0);
    }
    long count, total = 0;
    while ((count = read(master, bytes + total, sizeof bytes - total)) > 0)
        total += count;
    ASK(count);
    bytes[total] = 0;
    printf("%s", bytes);
    waitpid(child, &status, 0);
    VALUE(status);
    return 0;
}

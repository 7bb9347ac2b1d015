/* What reads and writes of the files in /proc/PID return: of a process that has ended, at offsets,
   and of texts that are not valid. */
#include "oracle.h"
#include <signal.h>

static const char *names[] = {
    "auxv", "clear_refs", "cmdline", "comm", "coredump_filter", "environ", "limits", "maps",
    "mountinfo", "mounts", "oom_score", "oom_score_adj", "pagemap", "smaps", "smaps_rollup", "stat",
    "statm", "status",
};

static int open_of(pid_t pid, const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, flags);
    if (fd < 0)
        say("open %s: %s", name, strerror(errno));
    return fd;
}

static void written(const char *what, long count)
{
    if (count < 0)
        say("%s: %s", what, strerror(errno));
    else
        say("%s: %ld", what, count);
}

static void of_a_zombie(void)
{
    siginfo_t info;
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    if (waitid(P_PID, pid, &info, WEXITED | WNOWAIT))
        fail("waitid");
    for (unsigned n = 0; n < sizeof names / sizeof *names; n++) {
        int fd = open_of(pid, names[n], O_RDONLY);
        if (fd < 0)
            continue;
        long count = read(fd, text, 8);
        say("read %s of a zombie: %s", names[n],
            count < 0 ? strerror(errno) : count ? "a text" : "nothing");
        close(fd);
    }
    static const char *settings[] = {"clear_refs", "coredump_filter", "oom_score_adj"};
    for (unsigned n = 0; n < sizeof settings / sizeof *settings; n++) {
        int fd = open_of(pid, settings[n], O_WRONLY);
        written(settings[n], write(fd, "1", 1));
        close(fd);
    }
    await(pid);
    for (unsigned n = 0; n < sizeof names / sizeof *names; n++)
        if (open_of(pid, names[n], O_RDONLY) >= 0)
            say("open %s: done", names[n]);
}

static void set(const char *name, const char *value)
{
    char what[80];
    int fd = open_of(getpid(), name, O_WRONLY);
    snprintf(what, sizeof what, "%s = '%s'", name, value);
    written(what, write(fd, value, strlen(value)));
    snprintf(what, sizeof what, "%s = '%s' once more", name, value);
    written(what, write(fd, value, strlen(value)));
    snprintf(what, sizeof what, "%s = '%s' at 2", name, value);
    written(what, pwrite(fd, value, strlen(value), 2));
    close(fd);
    if (!strcmp(name, "clear_refs"))
        return;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/%s", name);
    long length = slurp(path);
    say("%s: %.*s", name, (int)(length ? length - 1 : 0), text);
}

int main(void)
{
    static const char *filters[] = {
        "0x33", "0x1ffffffff", "99999999999999999999999", "-1", "x", "0xffffffff", "33\n", "34\n\n",
        " 35", "036", "+37", "038", "1_0", "1 2", "0x",
    };
    static const char *adjustments[] = {
        "3", " 4 ", "99999999999999999999", "4294967296", "1001", "0x10", "-2000", "1_0", "7\n",
    };
    of_a_zombie();
    set("comm", "abc");
    set("comm", "a name longer than fits");
    set("comm", "line\n");
    for (unsigned n = 0; n < sizeof filters / sizeof *filters; n++)
        set("coredump_filter", filters[n]);
    for (unsigned n = 0; n < sizeof adjustments / sizeof *adjustments; n++)
        set("oom_score_adj", adjustments[n]);
    set("clear_refs", "1");
    set("clear_refs", " 1\n");
    set("clear_refs", "0");
    set("clear_refs", "6");
    set("clear_refs", "0x1");
    set("clear_refs", "99999999999999999");
}

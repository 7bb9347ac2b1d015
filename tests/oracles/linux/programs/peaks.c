/* Peaks: do VmHWM, VmPeak and ru_maxrss keep the greatest size, of the process and of the children
   that it waited for? Sizes are rounded to 8 MiB: the program itself takes more or less. */
#include "oracle.h"

#define MIB (256)      /* pages */
#define UNIT (8 << 10) /* kB */

static long base_rss, base_size;

static long status(const char *name)
{
    slurp("/proc/self/status");
    return field(text, name);
}

static long rounded(long kilobytes)
{
    return (kilobytes + UNIT / 2) / UNIT * 8;
}

static long peak_of(int who_used)
{
    struct rusage usage;
    getrusage(who_used, &usage);
    return usage.ru_maxrss;
}

static void say_peaks(const char *what)
{
    say("%s: VmHWM %ld VmRSS %ld VmPeak %ld VmSize %ld maxrss %ld of children %ld MiB", what,
        rounded(status("VmHWM") - base_rss), rounded(status("VmRSS") - base_rss),
        rounded(status("VmPeak") - base_size), rounded(status("VmSize") - base_size),
        rounded(peak_of(RUSAGE_SELF)), rounded(peak_of(RUSAGE_CHILDREN)));
}

static void use(int mebibytes)
{
    char *at = mmap(NULL, mebibytes * MIB * PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    store_pages(at, mebibytes * MIB, 1);
    munmap(at, mebibytes * MIB * PAGE);
}

static void wait_and_say(const char *what, pid_t pid)
{
    struct rusage usage;
    int status;
    wait4(pid, &status, 0, &usage);
    say("%s: maxrss %ld MiB, %ld times 4096 faults", what, rounded(usage.ru_maxrss),
        (usage.ru_minflt + 2048) / 4096);
}

int main(int count, char **words)
{
    if (count > 1) { /* after exec: only maxrss is kept */
        who = "executed";
        base_rss = status("VmHWM"), base_size = status("VmPeak");
        say("maxrss %ld MiB, VmHWM less than that: %d", rounded(peak_of(RUSAGE_SELF)),
            status("VmHWM") < peak_of(RUSAGE_SELF));
        return 0;
    }
    pid_t pid = fork(); /* exec keeps the maxrss of the process that started this program */
    if (pid) {
        await(pid);
        return 0;
    }
    settle();
    base_rss = status("VmRSS"), base_size = status("VmSize");
    say_peaks("at first");
    use(24);
    say_peaks("24 were used");
    char *at = anonymous(16 * MIB);
    say_peaks("16 mapped");
    store_pages(at, 16 * MIB, 1);
    say_peaks("16 stored to");
    use(24);
    say_peaks("24 more were used");
    madvise(at, 16 * MIB * PAGE, MADV_DONTNEED);
    say_peaks("16 discarded");
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    if (write(fd, "5", 1) != 1)
        fail("clear_refs");
    close(fd);
    say_peaks("reset");
    load_pages(at, 16 * MIB, 1);
    say_peaks("16 of zero pages");
    pid = fork();
    if (!pid) {
        who = "child";
        say_peaks("at first");
        use(32);
        pid = fork();
        if (!pid) {
            who = "grandchild";
            use(48);
            _exit(0);
        }
        wait_and_say("grandchild", pid);
        say_peaks("at last");
        _exit(0);
    }
    wait_and_say("child", pid);
    say_peaks("at last");
    if (!(pid = fork())) {
        use(40);
        execl("/proc/self/exe", words[0], "again", NULL);
        fail("exec");
    }
    wait_and_say("executed", pid);
}

/* The first process of a Linux that exists only for the oracle: runs each program of /programs as a
   test runs it on a host, and prints its output on the console between two marks. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void report(const char *what)
{
    dprintf(1, "\n@failed %s: %s\n", what, strerror(errno));
}

static void mount_at(const char *folder, const char *type, const char *options)
{
    if (mkdir(folder, 0755) && errno != EEXIST)
        report(folder);
    if (mount(type, folder, type, 0, options))
        report(folder);
}

/* What is written to the console arrives as it is. */
static void set_raw(void)
{
    struct termios state;
    tcgetattr(1, &state);
    cfmakeraw(&state);
    tcsetattr(1, TCSANOW, &state);
}

/* khugepaged collapses memory whenever it runs; so it runs once, for a page of this process, and then
   sleeps for weeks. */
static void stop_khugepaged(void)
{
    static const char name[] = "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs";
    int file = open(name, O_WRONLY);
    if (file < 0 || dprintf(file, "%u", ~0U) < 0)
        report(name);
    close(file);
    size_t size = 4 << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || madvise(memory, size, MADV_HUGEPAGE))
        report("madvise");
    *memory = 1;
    usleep(200000);
}

static void execute(const char *name, int output)
{
    char path[300];
    char *arguments[] = {path, NULL}, *environment[] = {"PATH=/none", NULL};
    snprintf(path, sizeof path, "/programs/%s", name);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(output, 1);
    dup2(output, 2);
    close_range(3, ~0U, 0);
    execve(path, arguments, environment);
    report(path);
    _exit(127);
}

static void run(const char *name)
{
    static char bytes[1 << 16];
    int ends[2], status;
    long count;
    dprintf(1, "\n@begin %s\n", name);
    if (pipe2(ends, O_CLOEXEC))
        report("pipe2");
    pid_t pid = fork();
    if (!pid)
        execute(name, ends[1]);
    close(ends[1]);
    while ((count = read(ends[0], bytes, sizeof bytes)) > 0)
        if (fwrite(bytes, 1, count, stdout) != (size_t)count || fflush(stdout))
            report("write");
    close(ends[0]);
    waitpid(pid, &status, 0);
    dprintf(1, "\n@end %s %#x\n", name, status);
}

int main(void)
{
    struct utsname kernel;
    struct dirent **entries;
    set_raw();
    mount_at("/proc", "proc", NULL);
    mount_at("/sys", "sysfs", NULL);
    mount_at("/dev", "devtmpfs", NULL);
    mount_at("/dev/shm", "tmpfs", "mode=1777");
    mount_at("/tmp", "tmpfs", "mode=1777");
    chdir("/tmp");
    stop_khugepaged();
    uname(&kernel);
    dprintf(1, "\n@linux %s %s\n", kernel.release, kernel.version);
    int count = scandir("/programs", &entries, NULL, alphasort);
    for (int n = 0; n < count; n++)
        if (entries[n]->d_name[0] != '.')
            run(entries[n]->d_name);
    dprintf(1, "\n@done\n");
    tcdrain(1);
    reboot(RB_POWER_OFF);
}

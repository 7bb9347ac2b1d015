/* The files of /proc/PID: which lines and fields are there, in which order, and what do they say of
   each kind of mapping? */
#include "oracle.h"

#include <signal.h>

/* Only some architectures have these. */
static const char *elsewhere[] = {"ProtectionKey", "untag_mask", "Speculation_Store_Bypass",
                                  "SpeculationIndirectBranch", "x86_Thread_features",
                                  "x86_Thread_features_locked"};

static int is_elsewhere(const char *name)
{
    for (unsigned n = 0; n < sizeof elsewhere / sizeof *elsewhere; n++)
        if (!strcmp(name, elsewhere[n]))
            return 1;
    return 0;
}

/* Prints the names before the colons in `text`, from `start` on. */
static void say_names(const char *what, char *start)
{
    for (char *row = start; *row; row = strchr(row, '\n') + 1) {
        char name[64];
        if (sscanf(row, "%63[^:\n]:", name) == 1 && !is_elsewhere(name))
            say("%s has %s", what, name);
    }
}

/* Prints a mapping as maps shows it, without addresses, device, inode and folder. */
static void say_mapping(const char *what, const char *at)
{
    char *record = smaps(at);
    if (!record) {
        say("%s: not mapped", what);
        return;
    }
    unsigned long start, end, offset;
    char rights[5], *end_of_line = strchr(record, '\n');
    unsigned major, minor, name = 0;
    unsigned long inode;
    *end_of_line = 0;
    sscanf(record, "%lx-%lx %4s %lx %x:%x %lu %n", &start, &end, rights, &offset, &major, &minor,
           &inode, &name);
    char *slash = strrchr(record, '/');
    char *flags = strstr(end_of_line + 1, "VmFlags:");
    say("%s: %lu pages %s offset %#lx, device %s, inode %s, name '%s' in column %u", what,
        (end - start) / PAGE, rights, offset, major | minor ? "yes" : "no", inode ? "yes" : "no",
        slash ? slash + 1 : record + name, record[name] ? name : 0);
    say("%s: size %ld, pages of %ld, %s", what, (long)((end - start) >> 10),
        field(end_of_line + 1, "KernelPageSize"), flags);
}

static void kinds(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600), reading;
    ftruncate(fd, 8 * PAGE);
    reading = open("file", O_RDONLY);
    int rw = PROT_READ | PROT_WRITE, private = MAP_PRIVATE | MAP_ANONYMOUS;
    char *at;
    say_mapping("anonymous", anonymous(4));
    say_mapping("read-only", region_of(4, PROT_READ, private, -1, 0));
    say_mapping("executable", region_of(4, PROT_READ | PROT_EXEC, private, -1, 0));
    say_mapping("all rights", region_of(4, rw | PROT_EXEC, private, -1, 0));
    say_mapping("no reserve", region_of(4, rw, private | MAP_NORESERVE, -1, 0));
    say_mapping("grows down", region_of(4, rw, private | MAP_GROWSDOWN, -1, 0));
    say_mapping("private file", region_of(4, rw, MAP_PRIVATE, fd, PAGE));
    say_mapping("shared file", region_of(4, rw, MAP_SHARED, fd, 0));
    say_mapping("shared file, open for reading", region_of(4, PROT_READ, MAP_SHARED, reading, 0));
    say_mapping("private file, for reading", region_of(4, PROT_READ, MAP_PRIVATE, reading, 0));
    at = region_of(4, rw, MAP_PRIVATE, fd, 2 * PAGE);
    unlink("file");
    say_mapping("removed file", at);
    at = anonymous(4);
    madvise(at, 4 * PAGE, MADV_RANDOM);
    say_mapping("random", at);
    madvise(at, 4 * PAGE, MADV_SEQUENTIAL);
    say_mapping("sequential", at);
    madvise(at, 4 * PAGE, MADV_NORMAL);
    madvise(at, 4 * PAGE, MADV_DONTDUMP);
    say_mapping("not dumped", at);
    madvise(at, 4 * PAGE, MADV_DODUMP);
    madvise(at, 4 * PAGE, MADV_DONTFORK);
    say_mapping("not inherited", at);
    madvise(at, 4 * PAGE, MADV_DOFORK);
    madvise(at, 4 * PAGE, MADV_WIPEONFORK);
    say_mapping("wiped", at);
    madvise(at, 4 * PAGE, MADV_KEEPONFORK);
    mlock(at, 4 * PAGE);
    say_mapping("locked", at);
    munlock(at, 4 * PAGE);
    mprotect(at, 4 * PAGE, PROT_READ);
    say_mapping("read-only with pages", at);
    at = anonymous(4);
    mprotect(at, 4 * PAGE, PROT_READ);
    say_mapping("read-only without pages", at);
    madvise(at, 2 * PAGE, MADV_RANDOM);
    say_mapping("half of it random", at);
    madvise(at, 4 * PAGE, MADV_NORMAL);
    say_mapping("whole again", at);
}

static void ends(void)
{
    slurp("/proc/self/maps");
    say("stack: %s", strstr(text, "[stack]\n") ? "yes" : "no");
    say("heap: %s", strstr(text, "[heap]\n") ? "yes" : "no");
    say("vdso: %s", strstr(text, "[vdso]\n") ? "yes" : "no");
    slurp("/proc/self/smaps_rollup");
    char *first = strchr(text, '\n');
    say("rollup: %s", strstr(text, " ---p 00000000 00:00 0 ") ? "yes" : "no");
    say("its name: %.8s", first - 8);
    say_names("smaps_rollup", first + 1);
}

static void status_lines(void)
{
    slurp("/proc/self/status");
    say_names("status", text);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGTERM, _exit);
    kill(getpid(), SIGUSR1);
    raise(SIGRTMIN + 1);
    slurp("/proc/self/status");
    static const char *rows[] = {"State", "Umask", "Threads", "SigPnd", "ShdPnd", "SigBlk",
                                 "SigIgn", "SigCgt", "NoNewPrivs", "VmPin", "VmSwap",
                                 "HugetlbPages", "CoreDumping", "TracerPid", "Kthread"};
    for (unsigned n = 0; n < sizeof rows / sizeof *rows; n++) {
        char key[32];
        snprintf(key, sizeof key, "\n%s:", rows[n]);
        char *row = strstr(text, key);
        say("%s", row ? (*strchr(row + 1, '\n') = 0, row + 1) : "no row");
        slurp("/proc/self/status");
    }
}

static void set(const char *file, const char *value)
{
    int fd = open(file, O_WRONLY);
    long count = write(fd, value, strlen(value));
    say("write '%s' to %s: %ld, %s", value, file, count, count < 0 ? strerrorname_np(errno) : "ok");
    close(fd);
    fd = open(file, O_RDONLY);
    if (fd < 0)
        return;
    slurp(file);
    close(fd);
    if (strchr(text, '\n'))
        *strchr(text, '\n') = 0;
    say("%s: '%s'", file, text);
}

static void settings(void)
{
    set("/proc/self/comm", "a longer name than fits");
    set("/proc/self/comm", "with ) and (\n");
    slurp("/proc/self/stat");
    int fields = 0;
    for (char *at = strrchr(text, ')'); *at; at++)
        fields += *at == ' ';
    say("stat: '%.*s' and %d fields", (int)(strrchr(text, ')') + 1 - strchr(text, '(')),
        strchr(text, '('), fields);
    set("/proc/self/oom_score_adj", "300\n");
    set("/proc/self/oom_score_adj", "1001");
    set("/proc/self/oom_score_adj", "word");
    set("/proc/self/oom_score_adj", " 1000 ");
    set("/proc/self/coredump_filter", "0x7");
    set("/proc/self/coredump_filter", "010");
    set("/proc/self/coredump_filter", "0xffff");
    set("/proc/self/coredump_filter", "-1");
    set("/proc/self/clear_refs", "0");
    set("/proc/self/clear_refs", "6");
    set("/proc/self/clear_refs", "x");
    set("/proc/self/clear_refs", " 1\n");
}

/* A parent may have left signals ignored, also those that the C library keeps for itself. */
static void default_signals(void)
{
    unsigned long action[4] = {0};
    for (int number = 1; number <= 64; number++)
        syscall(SYS_rt_sigaction, number, action, NULL, 8);
}

int main(void)
{
    default_signals();
    enter_folder();
    free(malloc(10)); /* a heap */
    settle();
    kinds();
    slurp("/proc/self/smaps");
    char *rest = strchr(text, '\n') + 1, *next = strstr(rest, "VmFlags");
    *(strchr(next, '\n') + 1) = 0;
    say_names("smaps", rest);
    ends();
    status_lines();
    settings();
    leave_folder();
}

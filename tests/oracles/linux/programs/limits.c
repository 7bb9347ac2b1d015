/* Resource limits (setrlimit(2)): what exceeds one fails as Linux says, and what is within does
   not. */
#include "ask.h"

static volatile int over_size; /* times that SIGXFSZ came */

static void count_signal(int signo)
{
    over_size += signo == SIGXFSZ;
}

/* Prints the call's result, the size of the file after it, and whether SIGXFSZ came. */
#define WRITE(call)                                                                       \
    do {                                                                                  \
        over_size = 0;                                                                    \
        long wrote = (call);                                                              \
        int error = errno;                                                                \
        struct stat status;                                                               \
        fstat(file, &status);                                                             \
        say("%s: %ld %s, %d signals, size %ld\n", #call, wrote,                           \
            wrote < 0 ? strerrorname_np(error) : "", over_size, (long)status.st_size);    \
    } while (0)

enum { LIMIT = 10000 };
static char data[64 * 1024];

static void sizes_of_files(void)
{
    int file = bytes_file(0), source = bytes_file(20000), pipe_[2];
    signal(SIGXFSZ, count_signal);
    ASK(set_limit(RLIMIT_FSIZE, LIMIT));
    WRITE(write(file, data, 9000));
    WRITE(write(file, data, 9000));
    WRITE(write(file, data, 1));
    WRITE(write(file, data, 0));
    WRITE(pwrite(file, data, 100, LIMIT - 50));
    WRITE(pwrite(file, data, 100, LIMIT));
    WRITE(pwrite(file, data, 100, LIMIT + 50));
    WRITE(pwrite(file, data, 0, LIMIT + 50));
    WRITE(pwrite(file, data, 100, 0));
    struct iovec parts[] = {{data, 3000}, {data, 4000}, {data, 5000}, {data, 6000}};
    WRITE(ftruncate(file, 0));
    WRITE(lseek(file, 0, SEEK_SET));
    WRITE(writev(file, parts, 4));
    WRITE(writev(file, parts, 4));
    WRITE(pwritev(file, parts, 4, 2000));
    WRITE(ftruncate(file, LIMIT));
    WRITE(ftruncate(file, LIMIT + 1));
    WRITE(ftruncate(file, 100));
    WRITE(fallocate(file, 0, 0, LIMIT));
    WRITE(fallocate(file, 0, 0, LIMIT + 1));
    WRITE(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, LIMIT + 1));
    WRITE(fallocate(file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, LIMIT + 1));
    WRITE(ftruncate(file, 0));
    off_t from = 0, to = 0;
    WRITE(lseek(file, 0, SEEK_SET));
    WRITE(sendfile(file, source, &from, 20000));
    WRITE(sendfile(file, source, &from, 20000));
    from = 0;
    WRITE(ftruncate(file, 0));
    WRITE(copy_file_range(source, &from, file, &to, 20000, 0));
    WRITE(copy_file_range(source, &from, file, &to, 20000, 0));
    fcntl(file, F_SETFL, O_APPEND);
    WRITE(ftruncate(file, LIMIT - 10));
    WRITE(write(file, data, 100));
    WRITE(write(file, data, 100));
    WRITE(pwrite(file, data, 100, 0));
    file = source;
    WRITE(pwrite(file, data, 100, 15000));
    WRITE(pwrite(file, data, 100, 9950));
    WRITE(ftruncate(file, 15000));
    WRITE(ftruncate(file, 18000));
    file = memfd_create("memory", 0);
    WRITE(write(file, data, LIMIT + 1));
    WRITE(write(file, data, 1));
    pipe(pipe_);
    WRITE(write(pipe_[1], data, LIMIT + 1));
    char *mapped = mmap(NULL, 4 * PAGE, RW, SHARED, source, 0);
    mapped[14999] = 1;
    signal(SIGXFSZ, SIG_IGN);
    WRITE(write(file, data, 1));
    signal(SIGXFSZ, SIG_DFL);
    APART("a write beyond the limit", write(file, data, 1));
    APART("a truncation beyond the limit", ftruncate(file, LIMIT + 1));
    APART("a write up to the limit", pwrite(file, data, 10, LIMIT - 5));
    ASK(set_limit(RLIMIT_FSIZE, 0));
    APART("a write with a limit of 0", write(file, data, 1));
    ASK(set_limit(RLIMIT_FSIZE, RLIM_INFINITY));
    WRITE(write(file, data, LIMIT + 1));
}

static int thread_function(void *argument)
{
    return 0;
}

static void numbers_of_processes(void)
{
    static char stack[16384];
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    ASK(set_limit(RLIMIT_NPROC, 0));
    ASK(fork());
    ASK(vfork());
    ASK(clone(thread_function, stack + sizeof stack, flags, NULL));
    ASK(set_limit(RLIMIT_NPROC, 1));
    ASK(fork());
}

/* Bytes of the mappings whose rights are `rights`; of all for NULL. A stack is not data. */
static long mapped(const char *rights)
{
    static char text[1 << 16];
    int file = open("/proc/self/maps", O_RDONLY);
    long length = 0, got, bytes = 0;
    while ((got = read(file, text + length, sizeof text - 1 - length)) > 0)
        length += got;
    close(file);
    text[length] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end;
        char found[8];
        sscanf(line, "%lx-%lx %7s", &start, &end, found);
        if (strstr(line, "[vsyscall]") || (rights && strstr(line, "[stack]")))
            continue;
        if (!rights || !strcmp(found, rights))
            bytes += end - start;
    }
    return bytes;
}

static long raw_brk(long change)
{
    long end = syscall(SYS_brk, 0);
    return syscall(SYS_brk, end + change) - end;
}

static __attribute__((noinline)) int recurse(long bytes)
{
    volatile char frame[4096];
    frame[0] = 1;
    return bytes <= 4096 ? frame[0] : recurse(bytes - 4096) + frame[0];
}

static void address_space(void)
{
    char *one = pages(2, RW, PRIVATE);
    char *huge = mmap(NULL, 4096 * PAGE, NONE, PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASK(set_limit(RLIMIT_AS, mapped(NULL) + 8 * PAGE));
    ASK(mmap(NULL, 9 * PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, 9 * PAGE, NONE, PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    ASK(mmap(NULL, 9 * PAGE, RW, SHARED | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(huge, 100 * PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    ASK(mmap(huge, 4104 * PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    ASK(mremap(one, 2 * PAGE, 11 * PAGE, MREMAP_MAYMOVE));
    ASK(mremap(one, 2 * PAGE, 10 * PAGE, MREMAP_MAYMOVE));
    VALUE(raw_brk(PAGE));
    ASK(munmap(huge, 4 * PAGE));
    VALUE(raw_brk(4 * PAGE));
    VALUE(raw_brk(PAGE));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(munmap(huge + 4 * PAGE, 4 * PAGE));
    ASK(mmap(NULL, 5 * PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, 4 * PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mremap(huge + 10 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
    ASK(mprotect(huge + 2048 * PAGE, 10 * PAGE, RW));
    APART("a stack that grows beyond the limit", recurse(1 << 20));
    ASK(munmap(huge + 1024 * PAGE, 1024 * PAGE));
    APART("a stack that grows within the limit", recurse(1 << 20));
    ASK(set_limit(RLIMIT_AS, 0));
    ASK(mmap(NULL, PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(munmap(huge + 2048 * PAGE, PAGE));
}

static void data_size(void)
{
    char *read_only = pages(16, RO, PRIVATE), *shared = pages(2, RW, SHARED);
    char *writable = pages(2, RW, PRIVATE);
    raw_brk(4 * PAGE);
    ASK(set_limit(RLIMIT_DATA, mapped("rw-p") + 8 * PAGE));
    ASK(mmap(NULL, 9 * PAGE, RW, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, 9 * PAGE, RO, PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, 9 * PAGE, RW, SHARED | MAP_ANONYMOUS, -1, 0));
    ASK(mmap(NULL, 9 * PAGE, RW, PRIVATE, bytes_file(9 * PAGE), 0));
    ASK(mmap(NULL, 9 * PAGE, RW, PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    ASK(mprotect(read_only, 9 * PAGE, RW));
    ASK(mprotect(read_only, 8 * PAGE, RW));
    ASK(mprotect(read_only + 8 * PAGE, PAGE, RW));
    ASK(mprotect(shared, 2 * PAGE, RO));
    ASK(mprotect(shared, 2 * PAGE, RW));
    VALUE(raw_brk(PAGE));
    VALUE(raw_brk(-PAGE));
    VALUE(raw_brk(PAGE));
    VALUE(raw_brk(PAGE));
    ASK(mremap(writable, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE));
    ASK(mprotect(read_only, PAGE, RO));
    ASK(mremap(writable, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE));
    APART("a stack is not data", recurse(1 << 20));
}

static void stacks(void)
{
    ASK(set_limit(RLIMIT_STACK, 1 << 20));
    APART("half of the limit", recurse(1 << 19));
    APART("twice the limit", recurse(1 << 21));
    ASK(set_limit(RLIMIT_STACK, 4 << 20));
    APART("twice the limit of before", recurse(1 << 21));
}

static void changing(void)
{
    struct rlimit limit = {1, 2}, old;
    ASK(setrlimit(RLIMIT_CORE, &limit));
    limit.rlim_max = 3;
    ASK(setrlimit(RLIMIT_CORE, &limit));
    limit.rlim_cur = 3, limit.rlim_max = 2;
    ASK(setrlimit(RLIMIT_CORE, &limit));
    limit.rlim_cur = 2;
    ASK(setrlimit(RLIMIT_CORE, &limit));
    limit.rlim_cur = limit.rlim_max = 1;
    ASK(setrlimit(RLIMIT_CORE, &limit));
    limit.rlim_max = 2;
    ASK(setrlimit(RLIMIT_CORE, &limit));
    ASK(setrlimit(16, &limit));
    ASK(setrlimit(-1, &limit));
    ASK(getrlimit(16, &limit));
    ASK(syscall(SYS_prlimit64, 0, RLIMIT_CORE, NOWHERE, NULL));
    ASK(syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, NOWHERE));
    ASK(syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, NULL));
    ASK(syscall(SYS_prlimit64, 99999999, RLIMIT_CORE, NULL, NULL));
    ASK(syscall(SYS_prlimit64, -1, RLIMIT_CORE, NULL, NULL));
    ASK(syscall(SYS_prlimit64, 99999999, 99, NULL, NULL));
    ASK(syscall(SYS_prlimit64, 0, 99, NOWHERE, NULL));
    int ready[2], go[2];
    char byte = 0;
    pipe(ready);
    pipe(go);
    pid_t child = fork();
    if (!child) {
        getrlimit(RLIMIT_FSIZE, &limit);
        say("the child has %ld\n", (long)limit.rlim_cur);
        write(ready[1], &byte, 1);
        read(go[0], &byte, 1);
        getrlimit(RLIMIT_FSIZE, &limit);
        say("the child has %ld, %ld now\n", (long)limit.rlim_cur, (long)limit.rlim_max);
        _exit(0);
    }
    read(ready[0], &byte, 1);
    limit.rlim_cur = 5000, limit.rlim_max = 6000;
    ASK(prlimit(child, RLIMIT_FSIZE, &limit, &old));
    ASK(prlimit(child, RLIMIT_FSIZE, NULL, &limit));
    say("before %d, then %ld, %ld\n", old.rlim_cur == RLIM_INFINITY, (long)limit.rlim_cur,
        (long)limit.rlim_max);
    limit.rlim_max = 7000;
    ASK(prlimit(child, RLIMIT_FSIZE, &limit, NULL));
    write(go[1], &byte, 1);
    end_of("the child", child);
    getrlimit(RLIMIT_FSIZE, &limit);
    say("its parent has the old one: %d\n", limit.rlim_cur == RLIM_INFINITY);
}

/* What a program has after execve(2): the limits of the caller. */
static void show_inherited(void)
{
    static const int kinds[] = {RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_AS, RLIMIT_NOFILE};
    for (int i = 0; i < 4; i++) {
        struct rlimit limit;
        getrlimit(kinds[i], &limit);
        say("limit %d after execve: %ld\n", kinds[i], (long)limit.rlim_cur);
    }
    signal(SIGXFSZ, SIG_IGN);
    int file = bytes_file(0);
    VALUE(write(file, data, 6000));
    VALUE(write(file, data, 6000));
}

static void execute(const char *program)
{
    set_limit(RLIMIT_FSIZE, 7000);
    set_limit(RLIMIT_DATA, 64 << 20);
    set_limit(RLIMIT_AS, 512 << 20);
    set_limit(RLIMIT_NOFILE, 33);
    execl(program, program, "inherited", NULL);
    say("execl: %s\n", strerrorname_np(errno));
}

static void execute_without_room(const char *program, unsigned long room)
{
    set_limit(RLIMIT_AS, room);
    execl(program, program, "inherited", NULL);
    say("execl: %s\n", strerrorname_np(errno));
}

static void execute_with_much(const char *program)
{
    static char word[60000];
    memset(word, 'w', sizeof word - 1);
    set_limit(RLIMIT_STACK, 400 << 10);
    execl(program, program, "much", word, word, word, NULL);
    say("180 kB: %s\n", strerrorname_np(errno));
    execl(program, program, "much", word, word, NULL);
    say("120 kB: %s\n", strerrorname_np(errno));
}

int main(int count, char **arguments)
{
    if (count > 1) {
        if (!strcmp(arguments[1], "inherited"))
            show_inherited();
        else
            say("%d arguments\n", count);
        return 0;
    }
    const char *program = "/proc/self/exe";
    drop_capabilities();
    APART("changing", changing());
    APART("file sizes", sizes_of_files());
    APART("processes", numbers_of_processes());
    APART("address space", address_space());
    APART("data", data_size());
    APART("stack", stacks());
    APART("after execve", execute(program));
    APART("an execve without room", execute_without_room(program, 64 << 10));
    APART("an execve with much", execute_with_much(program));
}

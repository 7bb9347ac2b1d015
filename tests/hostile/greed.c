/* Allocates one kind of resource repeatedly until the kernel returns an error or kills the process.
   Prints the number of successful calls, and the error. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096L
#define WATCHED 4000

static char block[1 << 16], name[4096];
static int file, pair[2], set;
static pid_t child;
static long i;

static int numbered(void) { return snprintf(name, sizeof name, "/tmp/%ld", i); }

static long written(int fd) {
    return write(fd, block, sizeof block) > 0 ? 0 : -1;
}

static int made(const char *path) {
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    if (fd < 0) { perror(path); exit(3); }
    return fd;
}

static void *sleeps(void *unused) { pause(); return unused; }

static void *waits_for_ever(void *word) {
    for (;;) syscall(SYS_futex, word, FUTEX_WAIT, 0, 0, 0, 0);
    return 0;
}

static void *writes(void *unused) {
    static char much[1 << 20];
    while (write(pair[1], much, sizeof much) >= 0) ;
    return unused;
}

static void *polls(void *unused) {
    struct epoll_event event;
    epoll_wait(set, &event, 1, -1);
    return unused;
}

static long thread(void *(*body)(void *), void *argument) {
    pthread_t id;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 4 * PAGE);
    errno = pthread_create(&id, &attributes, body, argument);
    pthread_attr_destroy(&attributes);
    return errno ? -1 : 0;
}

/* Files and directories in memory. */

static long tmp_bytes(void) { return written(file); }
static long shm_bytes(void) {
    static int fd;
    return written(fd ? fd : (fd = made("/dev/shm/file")));
}
static long memfd_bytes(void) {
    static int fd;
    return written(fd ? fd : (fd = memfd_create("m", 0)));
}
static long sparse_pages(void) { return pwrite(file, "x", 1, i << 16); }
static long sparse_backwards(void) { return pwrite(file, "x", 1, ((1L << 40) - (i << 20))); }
static long many_small_files(void) {
    numbered();
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    long result = fd < 0 ? -1 : write(fd, "x", 1);
    if (fd >= 0) close(fd);
    return result;
}
static long empty_files(void) { numbered(); return mknod(name, S_IFREG | 0600, 0); }
static long directories(void) { numbered(); return mkdir(name, 0700); }
static long deep_directories(void) { return mkdir("d", 0700) ? -1 : chdir("d"); }
static long hard_links(void) { numbered(); return link("/tmp/file", name); }
static long symlinks(void) {
    numbered();
    memset(block, 'x', 4095);
    block[4095] = 0;
    return symlink(block, name);
}
static long fifos(void) { numbered(); return mkfifo(name, 0600); }
static long long_names(void) {
    memset(name, 'n', 255);
    memcpy(name, "/tmp/", 5);
    name[5 + snprintf(name + 5, 20, "%ld", i)] = 'n';
    name[250] = 0;
    return mknod(name, S_IFREG | 0600, 0);
}
static long reserved(void) { return fallocate(file, 0, i << 20, 1 << 20); }
static long mapped_file_pages(void) {
    char *page = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file, i << 20);
    if (page == MAP_FAILED || ftruncate(file, (i + 1) << 20)) return -1;
    memset(page, 1, 1 << 20);
    return munmap(page, 1 << 20);
}

/* Descriptors and the objects they refer to. */

static long opened(void) { return open("/proc/self/exe", O_RDONLY); }
static long long_paths(void) {
    memset(name, 'n', 250);
    for (int n = 0; !i && n < 100; n++)
        if (mkdir(name, 0700) || chdir(name)) return -1;
    return open("file", O_CREAT | O_RDWR, 0600);
}
static long duplicates(void) { return dup(0); }
static long memfds(void) { return memfd_create("m", 0); }
static long pipes(void) { return pipe((int[2]){0}); }
static long eventfds(void) { return eventfd(0, 0); }
static long pidfds_of_ended_processes(void) {
    pid_t ended = fork();
    if (!ended) _exit(0);
    long fd = syscall(SYS_pidfd_open, ended, 0);
    int error = errno;
    waitpid(ended, 0, 0);
    errno = error;
    return fd;
}
static long timerfds(void) { return timerfd_create(CLOCK_MONOTONIC, 0); }
static long inotify_instances(void) { return inotify_init1(0); }

static long watched_files(void) {
    static int instance = -1;
    if (instance < 0) instance = inotify_init1(0);
    numbered();
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    if (fd < 0) return -1;
    close(fd);
    return inotify_add_watch(instance, name, IN_ALL_EVENTS);
}

static long events_of_files(void) {
    for (int n = 0; !i && n < 100; n++) inotify_add_watch(inotify_init1(0), "/tmp", IN_CREATE);
    snprintf(name, sizeof name, "/tmp/%0200ld", i);
    return mknod(name, S_IFREG | 0600, 0);
}

static long epolls(void) { return epoll_create1(0); }
static long socketpairs(void) { return socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}); }
static long a_new_file_in_a_child(long fd) {
    /* The descriptor table is full: a child continues, while this process keeps its files open. */
    if (fd >= 0 || errno != EMFILE) return fd;
    int gate[2] = {-1, -1};
    close(3); close(4);
    if (pipe(gate)) return -1;
    child = fork();
    if (child < 0) return -1;
    if (!child) {
        close(gate[0]); close(gate[1]);
        for (int fd = 3; fd < WATCHED; fd++) close(fd);
        return 0;
    }
    int status;
    waitpid(child, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
}
static long files_of_many_processes(void) { return a_new_file_in_a_child(opened()); }
static long eventfds_of_many_processes(void) { return a_new_file_in_a_child(eventfds()); }
static long pipe_bytes(void) {
    int p[2];
    if (pipe2(p, O_NONBLOCK)) return a_new_file_in_a_child(-1);
    fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
    for (long n = 0; n < 16; n++)
        if (write(p[1], block, sizeof block) < 0) return errno == EAGAIN ? 0 : -1;
    return 0;
}
static long socket_bytes(void) {
    int p[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p)) return a_new_file_in_a_child(-1);
    while (write(p[0], block, 4096) > 0) ;
    return errno == EAGAIN ? 0 : -1;
}
static long empty_messages(void) {
    int p[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, p)) return a_new_file_in_a_child(-1);
    while (send(p[0], block, 0, 0) >= 0) ;
    return errno == EAGAIN ? 0 : -1;
}
static long terminals(void) {
    int unlocked = 0, slave, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (master < 0) return a_new_file_in_a_child(-1);
    ioctl(master, TIOCSPTLCK, &unlocked);
    if ((slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK)) < 0) return a_new_file_in_a_child(-1);
    /* Short lines with echo, then more output than the master reads. */
    memset(name, '\n', sizeof name);
    while (write(master, name, sizeof name) > 0) ;
    while (write(slave, block, sizeof block) > 0) ;
    return errno == EAGAIN ? 0 : -1;
}
static long tcp_sockets(void) { return a_new_file_in_a_child(socket(AF_INET, SOCK_STREAM, 0)); }
static int an_unnamed(int type) {
    int made = socket(AF_UNIX, type, 0);
    bind(made, &(struct sockaddr){AF_UNIX}, 2);
    return made;
}
static long unaccepted(void) {
    static int listener;
    static struct sockaddr_storage at;
    static socklen_t size;
    if (!listener) {
        if ((listener = an_unnamed(SOCK_STREAM)) < 0 || listen(listener, 4096)) return -1;
        size = sizeof at;
        getsockname(listener, (struct sockaddr *)&at, &size);
    }
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client < 0) return -1;
    if (!connect(client, (struct sockaddr *)&at, size)) return close(client);
    listener = 0;
    return errno == EAGAIN ? close(client) : -1;
}
static long descriptor_through(int through, int sent) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {"x", 1};
    struct msghdr message = {0, 0, &part, 1, control, sizeof control};
    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)) = sent;
    return sendmsg(through, &message, 0);
}
static long nested_descriptors(void) {
    static int last = -1, before = -1;
    int p[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p)) return -1;
    if (last >= 0 && (descriptor_through(p[0], last) < 0 || descriptor_through(p[0], before) < 0)) return -1;
    close(last); close(before);
    last = p[0]; before = p[1];
    return 0;
}
static long watches_of_many_sets(void) {
    struct epoll_event event = {.events = EPOLLIN};
    if (i % WATCHED == 0 || set < 0) {
        if ((set = epoll_create1(0)) < 0) return -1;
    }
    int fd = fcntl(pair[0], F_DUPFD, 100);
    if (fd < 0) { set = -1; for (fd = 100; fd < WATCHED; fd++) close(fd); return errno == EMFILE ? 0 : -1; }
    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}
static long record_locks(void) {
    struct flock lock = {.l_type = F_WRLCK, .l_start = 2 * i, .l_len = 1};
    return fcntl(file, F_SETLK, &lock);
}
static long file_locks(void) {
    int fd = open("/tmp/file", O_RDWR);
    return fd < 0 ? -1 : flock(fd, LOCK_SH);
}
static long listings(void) {
    if (!i) {
        for (int n = 0; n < 2000; n++) { snprintf(name, sizeof name, "/tmp/%d", n); mknod(name, S_IFREG, 0); }
    }
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY);
    return fd < 0 ? a_new_file_in_a_child(-1) : syscall(SYS_getdents64, fd, block, sizeof block);
}
static long texts(void) {
    if (!i)
        for (int n = 0; n < 5000; n++)
            mmap(0, PAGE, n & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/proc/self/maps", O_RDONLY);
    return fd < 0 ? a_new_file_in_a_child(-1) : read(fd, block, 100);
}
static long table_sizes(void) {
    if (dup2(0, WATCHED) < 0) return -1;
    child = fork();
    if (!child) for (;;) pause();
    return child < 0 ? -1 : 0;
}

/* Processes, threads, signals, timers. */

static long forks(void) {
    child = fork();
    if (!child) for (;;) pause();
    return child;
}
static long zombies(void) {
    child = fork();
    if (!child) _exit(0);
    return child;
}
static int sleeps_in_its_parents_memory(void *unused) { for (;;) pause(); return unused != 0; }
static long clones(void) {
    return clone(sleeps_in_its_parents_memory, block + sizeof block, CLONE_VM, 0);
}
static long chained_forks(void) {
    child = fork();
    if (child > 0) {
        int status;
        waitpid(child, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
    }
    return child;
}
static long threads(void) { return thread(sleeps, 0); }
static long futex_waiters(void) { static int word; return thread(waits_for_ever, &word); }
static long blocked_writers(void) {
    if (thread(writes, 0)) return -1;
    return sched_yield();
}
static long blocked_pollers(void) {
    if (!i) {
        struct epoll_event event = {.events = EPOLLIN};
        set = epoll_create1(0);
        for (int n = 0; n < 500; n++) epoll_ctl(set, EPOLL_CTL_ADD, eventfd(0, 0), &event);
    }
    if (thread(polls, 0)) return -1;
    return sched_yield();
}
static long queued_signals(void) { return sigqueue(getpid(), 40, (union sigval){0}); }
static long queued_for_many(void) {
    if (i % 100 == 0) {
        child = fork();
        if (child < 0) return -1;
        if (!child) for (;;) pause();
    }
    return sigqueue(child, 41, (union sigval){0});
}
static long thread_signals(void) {
    siginfo_t info = {.si_code = SI_QUEUE};
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), 42, &info);
}
static long timers(void) { return timer_create(CLOCK_MONOTONIC, 0, &(timer_t){0}); }
static long timers_of_many_processes(void) {
    long result = timers();
    if (i % 100 == 99) {
        child = fork();
        if (child) for (;;) pause();
    }
    return result;
}
static long environments(void) {
    /* Each process keeps its arguments and environment. */
    static char *words[17];
    static char word[100001];
    const char *so_far = getenv("COUNT");
    long count = so_far ? atol(so_far) : 0;
    child = fork();
    if (child < 0) { i = count; return -1; }
    if (!child) for (;;) pause();
    snprintf(name, sizeof name, "COUNT=%ld", count + 1);
    memset(word, 'e', sizeof word - 1);
    for (int n = 0; n < 15; n++) words[n] = word;
    words[15] = name;
    execve("/proc/self/exe", (char *[]){"greed", "environments", 0}, words);
    i = count;
    return -1;
}
static long long_arguments(void) {
    static char *words[200];
    char *word = malloc(100001);
    memset(word, 'a', 100000);
    word[100000] = 0;
    if (i > 190) return -1;
    words[0] = "greed";
    words[1] = "nothing";
    for (long n = 2; n < 2 + 10 * i && n < 199; n++) words[n] = word;
    child = fork();
    if (child < 0) return -1;
    if (!child) { execv("/proc/self/exe", words); _exit(errno); }
    int status;
    waitpid(child, &status, 0);
    free(word);
    if (WEXITSTATUS(status)) { errno = WEXITSTATUS(status); return -1; }
    return 0;
}

/* Memory. */

static long mappings(void) {
    void *at = mmap(0, PAGE, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? -1 : 0;
}
static long shared_mappings(void) {
    return mmap(0, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static long split_mappings(void) {
    static char *area;
    if (!i) area = mmap(0, 200000 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return mprotect(area + (199998 - 2 * i) * PAGE, PAGE, PROT_READ);
}
static long private_memory(void) {
    char *at = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? -1 : (memset(at, 1, 1 << 20), 0);
}
static long shared_memory(void) {
    char *at = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? -1 : (memset(at, 1, 1 << 20), 0);
}
static long page_tables(void) {
    char *at = mmap((void *)(0x1000000000 + (i << 21)), PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return at == MAP_FAILED ? -1 : *(volatile char *)at;
}
static long heap(void) { return sbrk(1 << 20) == (void *)-1 ? -1 : 0; }
static long stack_frames(long depth) {
    volatile char frame[PAGE];
    frame[0] = 1;
    return (depth < 1L << 40 ? stack_frames(depth + 1) : 0) + frame[0];
}
static long stack(void) { return stack_frames(0); }
static long locked(void) {
    char *at = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? -1 : (memset(at, 1, 1 << 20), mlock(at, 1 << 20));
}
static long nothing(void) { exit(0); }

#define KIND(function) {#function, function}
static const struct { const char *name; long (*step)(void); } kinds[] = {
    KIND(tmp_bytes), KIND(shm_bytes), KIND(memfd_bytes), KIND(sparse_pages), KIND(sparse_backwards), KIND(many_small_files),
    KIND(empty_files), KIND(directories), KIND(deep_directories), KIND(hard_links), KIND(symlinks),
    KIND(fifos), KIND(long_names), KIND(reserved), KIND(mapped_file_pages),
    KIND(opened), KIND(long_paths), KIND(duplicates), KIND(memfds), KIND(pipes), KIND(eventfds), KIND(timerfds),
    KIND(pidfds_of_ended_processes),
    KIND(inotify_instances), KIND(watched_files), KIND(events_of_files),
    KIND(epolls), KIND(socketpairs), KIND(files_of_many_processes),
    KIND(eventfds_of_many_processes), KIND(pipe_bytes), KIND(socket_bytes), KIND(empty_messages),
    KIND(terminals), KIND(tcp_sockets), KIND(unaccepted), KIND(nested_descriptors),
    KIND(watches_of_many_sets), KIND(record_locks), KIND(file_locks), KIND(listings), KIND(texts),
    KIND(table_sizes), KIND(forks), KIND(zombies), KIND(clones), KIND(chained_forks), KIND(threads),
    KIND(futex_waiters), KIND(blocked_writers), KIND(blocked_pollers), KIND(queued_signals),
    KIND(queued_for_many), KIND(thread_signals), KIND(timers), KIND(timers_of_many_processes),
    KIND(environments), KIND(long_arguments), KIND(mappings), KIND(shared_mappings),
    KIND(split_mappings), KIND(private_memory), KIND(shared_memory), KIND(page_tables), KIND(heap),
    KIND(stack), KIND(locked), KIND(nothing),
};

int main(int argc, char **argv) {
    long (*step)(void) = 0;
    for (unsigned n = 0; n < sizeof kinds / sizeof *kinds; n++)
        if (argc > 1 && !strcmp(kinds[n].name, argv[1])) step = kinds[n].step;
    if (!step) return 3;
    memset(block, 1, sizeof block);
    file = made("/tmp/file");
    chdir("/tmp");
    pipe(pair);
    set = -1;
    struct rlimit most = {WATCHED + 96, WATCHED + 96};
    setrlimit(RLIMIT_NOFILE, &most);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, 0);
    while (step() >= 0) i++;
    int error = errno;
    printf("%ld %s\n", i, strerrorname_np(error));
    fflush(stdout);
    kill(0, SIGKILL); /* also the processes that only hold their resources */
}

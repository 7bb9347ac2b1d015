/* Watching files: inotify_init1, inotify_add_watch, inotify_rm_watch, and the events of each call. */
#include "calls.h"
#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static int in, root, file, sub;

static const char *names[] = {
    "ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM", "MOVED_TO",
    "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF", "", "UNMOUNT", "Q_OVERFLOW", "IGNORED",
};

/* Prints and empties the queue. */
static void events(const char *what)
{
    static char buffer[65536] __attribute__((aligned(8)));
    uint32_t cookie = 0;
    ssize_t size = read(in, buffer, sizeof buffer);
    printf("%s:\n", what);
    for (ssize_t at = 0; at < size;) {
        struct inotify_event *event = (void *)(buffer + at);
        printf("  %d", event->wd);
        for (int bit = 0; bit < 16; bit++)
            if (event->mask >> bit & 1)
                printf(" %s", names[bit]);
        if (event->mask & IN_ISDIR)
            printf(" ISDIR");
        if (event->cookie)
            printf(event->cookie == cookie ? " same" : " cookie");
        cookie = event->cookie;
        if (event->len && event->name[0] == '#') /* of a file without a name: its inode number */
            event->name[1] = 0;
        printf(event->len ? " %s (%u)\n" : "\n", event->name, event->len);
        at += sizeof *event + event->len;
    }
    fflush(stdout);
    errno = 0;
}

#define DO(call) do { if ((long)(call) == -1) printf("%s: %s\n", #call, strerrorname_np(errno)); events(#call); } while (0)

static void errors(void)
{
    int other = bytes_file(0), nothing = open(".", O_PATH), full;
    ASK(inotify_init1(1));
    VALUE(fcntl(in, F_GETFD));
    VALUE(fcntl(in, F_GETFL));
    ASK(inotify_add_watch(in, ".", 0));
    ASK(inotify_add_watch(in, ".", 0x00100000));
    ASK(inotify_add_watch(-1, ".", 0));
    ASK(inotify_add_watch(-1, ".", IN_CREATE));
    ASK(inotify_add_watch(nothing, ".", IN_CREATE));
    ASK(inotify_add_watch(other, ".", IN_CREATE));
    ASK(inotify_add_watch(other, NOWHERE, IN_CREATE | IN_MASK_ADD | IN_MASK_CREATE));
    ASK(inotify_add_watch(in, NOWHERE, IN_CREATE));
    ASK(inotify_add_watch(in, "", IN_CREATE));
    ASK(inotify_add_watch(in, "none", IN_CREATE));
    ASK(inotify_add_watch(in, "/dev/null", IN_CREATE | IN_ONLYDIR));
    ASK(inotify_rm_watch(in, 1));
    ASK(inotify_rm_watch(-1, 1));
    ASK(inotify_rm_watch(other, 1));
    char one;
    ASK(read(in, &one, 1));
    ASK(write(in, &one, 1));
    ASK(lseek(in, 0, SEEK_CUR));
    close(open("secret", O_CREAT | O_WRONLY, 0200));
    ASK(inotify_add_watch(in, "secret", IN_CREATE));
    unlink("secret");
    int count = 0;
    while (inotify_init1(0) >= 0)
        count++;
    VALUE(errno == EMFILE && count > 100 && count < 1000);
    for (full = 3; full < 1024; full++)
        if (full != in && full != other)
            close(full);
    errno = 0;
}

static void directories(void)
{
    mkdir("d", 0777);
    root = inotify_add_watch(in, "d", IN_ALL_EVENTS);
    VALUE(root);
    DO(file = open("d/new", O_CREAT | O_RDWR, 0666));
    DO(write(file, "0123456789", 10));
    DO(write(file, "", 0));
    DO(pwrite(file, "x", 1, 3));
    char bytes[16];
    DO(pread(file, bytes, 4, 0));
    DO(read(file, bytes, 4));
    DO(ftruncate(file, 5));
    DO(fallocate(file, 0, 0, 100));
    DO(fchmod(file, 0600));
    DO(futimens(file, NULL));
    DO(fchown(file, -1, getgid()));
    DO(close(dup(file)));
    DO(close(file));
    DO(close(open("d/new", O_RDONLY)));
    DO(close(open("d/new", O_PATH)));
    DO(file = open("d/new", O_WRONLY | O_TRUNC));
    close(file);
    events("close");
    DO(truncate("d/new", 3));
    DO(chmod("d/new", 0644));
    DO(chown("d/new", -1, getgid()));
    DO(chown("d/new", -1, -1));
    struct timespec times[2] = {{1, 0}, {2, 0}}, first[2] = {{1, 0}, {0, UTIME_OMIT}}, second[2] = {{0, UTIME_OMIT}, {2, 0}};
    DO(utimensat(AT_FDCWD, "d/new", times, 0));
    DO(utimensat(AT_FDCWD, "d/new", first, 0));
    DO(utimensat(AT_FDCWD, "d/new", second, 0));
    DO(stat("d/new", &(struct stat){0}));
    DO(link("d/new", "d/second"));
    DO(symlink("new", "d/link"));
    DO(close(open("d/link", O_RDONLY)));
    DO(unlink("d/link"));
    DO(unlink("d/second"));
    DO(mkfifo("d/fifo", 0666));
    DO(unlink("d/fifo"));
    DO(mkdir("d/sub", 0777));
    DO(chmod("d/sub", 0700));
    DO(close(open("d/sub", O_RDONLY)));
    DO(close(open("d/sub/below", O_CREAT | O_WRONLY, 0666)));
    DO(unlink("d/sub/below"));
    DO(rename("d/new", "d/a name of seventeen"));
    DO(rename("d/a name of seventeen", "d/a name of 15 b"));
    DO(rename("d/a name of 15 b", "outside"));
    DO(rename("outside", "d/back"));
    DO(rename("d/back", "d/back"));
    DO(rename("d/sub", "d/sub2"));
    DO(rmdir("d/sub2"));
    DO(close(open("d", O_RDONLY)));
    DIR *stream = opendir("d");
    events("opendir");
    while (readdir(stream))
        ;
    events("readdir");
    closedir(stream);
    events("closedir");
    /* An open file follows its name. */
    file = open("d/back", O_RDWR);
    rename("d/back", "d/moved");
    events("rename of an open file");
    DO(write(file, "x", 1));
    DO(unlink("d/moved"));
    DO(write(file, "x", 1));
    DO(close(file));
    DO(close(open("d", O_TMPFILE | O_RDWR, 0600)));
    DO(chmod("d", 0755));
    DO(rename("d", "e"));
    DO(rename("e", "d"));
    DO(rmdir("d"));
    ASK(inotify_rm_watch(in, root));
}

static void files(void)
{
    mkdir("d", 0777);
    close(open("d/f", O_CREAT | O_WRONLY, 0666));
    file = inotify_add_watch(in, "d/f", IN_ALL_EVENTS);
    root = inotify_add_watch(in, "d", IN_ALL_EVENTS);
    VALUE(file);
    VALUE(root);
    VALUE(inotify_add_watch(in, "d/f", IN_ALL_EVENTS));
    int fd;
    DO(fd = open("d/f", O_RDWR));
    DO(write(fd, "abc", 3));
    DO(link("d/f", "d/g"));
    DO(close(open("d/g", O_RDONLY)));
    DO(rename("d/f", "d/h"));
    DO(unlink("d/h"));
    DO(unlink("d/g"));
    DO(write(fd, "abc", 3));
    DO(close(fd));
    /* A name that is replaced. */
    close(open("d/1", O_CREAT | O_WRONLY, 0666)), close(open("d/2", O_CREAT | O_WRONLY, 0666));
    events("two files");
    VALUE(inotify_add_watch(in, "d/1", IN_ALL_EVENTS));
    VALUE(inotify_add_watch(in, "d/2", IN_ALL_EVENTS));
    DO(rename("d/1", "d/2"));
    close(open("d/3", O_CREAT | O_WRONLY, 0666));
    events("third");
    DO(CALL(renameat2, AT_FDCWD, "d/2", AT_FDCWD, "d/3", 2));
    DO(CALL(renameat2, AT_FDCWD, "d/2", AT_FDCWD, "d/3", 1));
    unlink("d/2"), unlink("d/3");
    events("unlinked");
    mkdir("d/s", 0777);
    sub = inotify_add_watch(in, "d/s", IN_ALL_EVENTS);
    events("sub");
    DO(rename("d/s", "d/t"));
    DO(rmdir("d/t"));
    DO(inotify_rm_watch(in, root));
}

static void masks(void)
{
    close(open("d/f", O_CREAT | O_WRONLY, 0666));
    root = inotify_add_watch(in, "d", IN_OPEN);
    VALUE(root);
    DO(close(open("d/f", O_RDONLY)));
    ASK(inotify_add_watch(in, "d", IN_MASK_CREATE | IN_CREATE));
    VALUE(inotify_add_watch(in, "d", IN_MASK_ADD | IN_CLOSE_NOWRITE) == root);
    DO(close(open("d/f", O_RDONLY)));
    VALUE(inotify_add_watch(in, "d", IN_CREATE) == root);
    DO(close(open("d/f", O_RDONLY)));
    VALUE(inotify_add_watch(in, "d", IN_OPEN | IN_ONESHOT) == root);
    DO(close(open("d/f", O_RDONLY)));
    DO(close(open("d/f", O_RDONLY)));
    ASK(inotify_rm_watch(in, root));
    root = inotify_add_watch(in, "d", IN_MODIFY | IN_EXCL_UNLINK | IN_ONLYDIR);
    int fd = open("d/f", O_WRONLY);
    DO(write(fd, "x", 1));
    unlink("d/f");
    DO(write(fd, "x", 1));
    close(fd);
    symlink("nowhere", "d/l");
    ASK(inotify_add_watch(in, "d/l", IN_ALL_EVENTS));
    VALUE(sub = inotify_add_watch(in, "d/l", IN_ALL_EVENTS | IN_DONT_FOLLOW));
    DO(unlink("d/l"));
    DO(inotify_rm_watch(in, root));
}

static int queued(void)
{
    int bytes = -1;
    ioctl(in, FIONREAD, &bytes);
    return bytes;
}

static void reads(void)
{
    char buffer[256];
    root = inotify_add_watch(in, "d", IN_CREATE | IN_DELETE | IN_MODIFY);
    struct pollfd poll_in = {in, POLLIN | POLLOUT};
    int set = epoll_create1(0);
    struct epoll_event event = {EPOLLIN | EPOLLET};
    ASK(epoll_ctl(set, EPOLL_CTL_ADD, in, &event));
    VALUE(poll(&poll_in, 1, 0));
    VALUE(queued());
    int fd = open("d/f", O_CREAT | O_WRONLY, 0666);
    VALUE(poll(&poll_in, 1, 0));
    VALUE(poll_in.revents);
    VALUE(epoll_wait(set, &event, 1, 0));
    VALUE(epoll_wait(set, &event, 1, 0));
    VALUE(queued());
    for (int i = 0; i < 5; i++)
        write(fd, "x", 1);
    VALUE(epoll_wait(set, &event, 1, 0));
    VALUE(queued());
    ASK(read(in, buffer, 0));
    ASK(read(in, buffer, 31));
    ASK(read(in, NOWHERE, 64));
    VALUE(queued());
    VALUE(read(in, buffer, 40));
    VALUE(queued());
    VALUE(readv(in, (struct iovec[]){{buffer, 20}, {buffer + 20, 100}}, 2));
    VALUE(queued());
    ASK(read(in, buffer, sizeof buffer));
    /* A reader that waits. */
    fcntl(in, F_SETFL, 0);
    if (!fork()) {
        usleep(30000);
        write(fd, "x", 1);
        _exit(0);
    }
    VALUE(read(in, buffer, sizeof buffer));
    fcntl(in, F_SETFL, O_NONBLOCK);
    wait(NULL);
    /* A queue that is full. */
    for (int i = 0; i < 9000; i++)
        close(open("d/0", O_CREAT | O_WRONLY, 0666)), unlink("d/0");
    int most = queued();
    VALUE(most);
    int count = 0, last = 0;
    static char all[1 << 20];
    ssize_t size = read(in, all, sizeof all);
    for (ssize_t at = 0; at < size; count++) {
        struct inotify_event *one = (void *)(all + at);
        last = one->mask | (one->wd == -1 ? 1 : 0);
        at += sizeof *one + one->len;
    }
    VALUE(count);
    VALUE(last);
    DO(unlink("d/f"));
    close(fd);
    rmdir("d");
    events("end");
}

int main(void)
{
    char folder[] = "/tmp/inotify-XXXXXX";
    if (!mkdtemp(folder) || chdir(folder))
        return 1;
    in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    errors();
    directories();
    files();
    masks();
    reads();
    chdir("/");
    rmdir(folder);
    return 0;
}

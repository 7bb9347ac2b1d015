/* Files: open(2), fallocate(2), fcntl(2), names, times. */
#include "calls.h"
#include <sys/file.h>
#include <sys/uio.h>

enum { CWD = AT_FDCWD, NEW = O_CREAT | O_RDWR };

static void opening(void)
{
    ASK(CALL(openat, CWD, "file", O_RDWR, 0));
    ASK(CALL(openat, CWD, "file", NEW, 0644));
    ASK(CALL(openat, CWD, "file", NEW | O_EXCL, 0644));
    ASK(CALL(openat, CWD, "file", O_EXCL | O_RDWR, 0));
    ASK(CALL(openat, CWD, "file", 3, 0));
    ASK(CALL(openat, CWD, "file", O_DIRECTORY, 0));
    ASK(CALL(openat, CWD, "file", NEW | O_DIRECTORY, 0644));
    ASK(CALL(openat, CWD, "new", NEW | O_DIRECTORY, 0644));
    ASK(CALL(openat, CWD, "folder", O_RDONLY | O_CREAT | O_DIRECTORY, 0644));
    ASK(CALL(openat, CWD, "folder", O_RDONLY | O_DIRECTORY, 0));
    ASK(CALL(openat, CWD, "folder", O_RDWR, 0));
    ASK(CALL(openat, CWD, "folder", O_RDONLY | O_TRUNC, 0));
    ASK(CALL(openat, CWD, "folder/", O_RDONLY | O_CREAT, 0644));
    ASK(CALL(openat, CWD, "file/", O_RDONLY, 0));
    ASK(CALL(openat, CWD, "link", O_RDONLY | O_NOFOLLOW, 0));
    ASK(CALL(openat, CWD, "link", O_PATH | O_NOFOLLOW, 0));
    ASK(CALL(openat, CWD, "link", O_PATH | O_NOFOLLOW | O_DIRECTORY, 0));
    ASK(CALL(openat, CWD, "link", NEW | O_EXCL, 0));
    ASK(CALL(openat, CWD, "nowhere", O_RDONLY | O_CREAT, 0644));
    ASK(CALL(openat, CWD, ".", O_TMPFILE | O_RDWR, 0600));
    ASK(CALL(openat, CWD, ".", O_TMPFILE | O_RDONLY, 0600));
    ASK(CALL(openat, CWD, "file", O_TMPFILE | O_RDWR, 0600));
    ASK(CALL(openat, CWD, ".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600));
    ASK(CALL(openat, CWD, ".", O_TMPFILE | O_RDWR | O_CREAT, 0600));
    ASK(CALL(openat, CWD, "file", O_RDWR | O_ASYNC | O_SYNC | O_NOCTTY | O_NOATIME, 0));
    ASK(CALL(openat, CWD, "file", O_RDWR | 0x40000000, 0));
    ASK(CALL(openat, CWD, "", O_RDWR, 0));
    ASK(CALL(openat, CWD, NOWHERE, O_RDWR, 0));
    ASK(CALL(openat, 99, "file", O_RDWR, 0));
    ASK(CALL(openat, open("file", 0), "file", O_RDWR, 0));
    int path = open("file", O_PATH);
    ASK(read(path, &path, 1));
    ASK(CALL(fchmod, path, 0600));
    ASK(CALL(ftruncate, path, 0));
    ASK(fcntl(path, F_GETFL) & O_PATH);
    ASK(fcntl(path, F_SETFL, 0));
    ASK(fcntl(path, F_DUPFD, 0));
    VALUE(fcntl(open("file", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NONBLOCK), F_GETFL) & ~O_LARGEFILE & ~0x8000);
    VALUE(fcntl(open("file", O_RDWR | O_SYNC), F_GETFL) & ~0x8000);
    VALUE(fcntl(open("file", O_RDWR | O_DSYNC), F_GETFL) & ~0x8000);
    struct { uint64_t flags, mode, resolve, more; } how = {O_RDONLY};
    ASK(CALL(openat2, CWD, "file", &how, 24));
    ASK(CALL(openat2, CWD, "file", &how, 16));
    ASK(CALL(openat2, CWD, "file", &how, 32));
    how.more = 1;
    ASK(CALL(openat2, CWD, "file", &how, 32));
    how.flags = O_RDONLY | 0x40000000;
    ASK(CALL(openat2, CWD, "file", &how, 24));
    how.flags = O_RDONLY, how.mode = 0600;
    ASK(CALL(openat2, CWD, "file", &how, 24));
    how.mode = 0, how.flags = O_PATH | O_RDWR;
    ASK(CALL(openat2, CWD, "file", &how, 24));
    how.flags = O_RDONLY, how.resolve = 0x40;
    ASK(CALL(openat2, CWD, "file", &how, 24));
}

static void sizes(void)
{
    int file = bytes_file(2 * PAGE), reading = open("file", O_RDONLY), pipe_[2];
    int folder = open(".", O_RDONLY);
    struct stat status;
    if (pipe(pipe_))
        abort();
    static const int MODES[] = {0, 1, 2, 3, 4, 8, 9, 0x10, 0x11, 0x20, 0x40, 0x43, 0x80, 0x100};
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++) {
        long result = CALL(fallocate, file, MODES[i], PAGE, 2 * PAGE);
        fstat(file, &status);
        printf("fallocate mode %#x: %s, size %ld\n", MODES[i],
               result ? strerrorname_np(errno) : "ok", (long)status.st_size);
    }
    ASK(CALL(fallocate, file, 0, -1L, 1L));
    ASK(CALL(fallocate, file, 0, 0L, 0L));
    ASK(CALL(fallocate, file, 0, 1L, -1L));
    ASK(CALL(fallocate, file, 0, 1, (1UL << 63) - 1));
    ASK(CALL(fallocate, reading, 0, 0, 1));
    ASK(CALL(fallocate, pipe_[1], 0, 0, 1));
    ASK(CALL(fallocate, folder, 0, 0, 1));
    ASK(CALL(fallocate, 99, 0, 0, 1));
    ASK(ftruncate(file, -1));
    ASK(ftruncate(reading, 0));
    ASK(ftruncate(folder, 0));
    ASK(ftruncate(pipe_[1], 0));
    ASK(truncate("folder", 0));
    ASK(truncate("file", -1));
    ASK(truncate("missing", 0));
    ASK(lseek(file, 0, 5));
    ASK(lseek(file, -1, SEEK_SET));
    ASK(lseek(file, 1L << 62, SEEK_DATA));
    ASK(lseek(file, -1, SEEK_HOLE));
    ASK(lseek(pipe_[0], 0, SEEK_SET));
    /* A store through a mapping, then a hole at that place. */
    char *mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    memset(mapped, 7, PAGE);
    VALUE(CALL(fallocate, file, 3, 10, 100) + mapped[9] + mapped[10] + mapped[109] + mapped[110]);
    char byte = 1;
    VALUE(pread(file, &byte, 1, 50) + byte);
    struct iovec vector = {&byte, 1}, bad = {&byte, -1};
    ASK(readv(file, &vector, 0));
    ASK(readv(file, &vector, -1));
    ASK(readv(file, &vector, 1025));
    ASK(readv(file, &bad, 1));
    ASK(CALL(pread64, file, &byte, 1, -1L));
    ASK(CALL(pread64, pipe_[0], &byte, 1, 0L));
    ASK(CALL(preadv2, file, &vector, 1, 0L, 0L, 0x80));
    ASK(CALL(preadv2, file, &vector, 1, 0L, 0L, 1));
    ASK(CALL(pwritev2, file, &vector, 1, 0L, 0L, 2));
    ASK(CALL(pwritev2, file, &vector, 1, 0L, 0L, 4));
    ASK(CALL(pwritev2, file, &vector, 1, 0L, 0L, 0x4000));
    ASK(CALL(copy_file_range, file, NULL, file, NULL, 1L, 1));
    ASK(CALL(sync_file_range, file, 0L, 0L, 8));
    ASK(CALL(sync_file_range, file, -1L, 0L, 1));
    ASK(CALL(sync_file_range, file, 0L, -1L, 1));
    ASK(CALL(sync_file_range, file, 0L, 0L, 7));
    ASK(CALL(sync_file_range, pipe_[0], 0L, 0L, 1));
    ASK(CALL(fadvise64, file, 0L, 0L, 6));
    ASK(CALL(fadvise64, file, 0L, -1L, 0));
    ASK(CALL(fadvise64, file, 0L, 0L, 5));
    ASK(CALL(fadvise64, pipe_[0], 0L, 0L, 0));
    ASK(CALL(fsync, pipe_[0]));
    ASK(CALL(readahead, file, 0L, 1L));
    ASK(CALL(readahead, pipe_[0], 0L, 1L));
}

static void names(void)
{
    struct stat status;
    char buffer[256];
    ASK(CALL(unlinkat, CWD, "file", AT_REMOVEDIR));
    ASK(CALL(unlinkat, CWD, "folder", 0));
    ASK(CALL(unlinkat, CWD, "file", 1));
    ASK(CALL(linkat, CWD, "file", CWD, "second", 0x100));
    ASK(CALL(linkat, CWD, "link", CWD, "third", 0));
    ASK(CALL(linkat, CWD, "link", CWD, "fourth", AT_SYMLINK_FOLLOW));
    ASK(CALL(linkat, CWD, "file", CWD, "file", 0));
    ASK(CALL(linkat, CWD, "folder", CWD, "fifth", 0));
    ASK(CALL(linkat, open("file", O_RDONLY), "", CWD, "sixth", 0));
    ASK(CALL(renameat2, CWD, "file", CWD, "third", RENAME_NOREPLACE));
    ASK(CALL(renameat2, CWD, "file", CWD, "nothing", RENAME_EXCHANGE));
    ASK(CALL(renameat2, CWD, "file", CWD, "third", RENAME_EXCHANGE));
    ASK(CALL(renameat2, CWD, "file", CWD, "third", RENAME_EXCHANGE));
    ASK(CALL(renameat2, CWD, "file", CWD, "third", 3));
    ASK(CALL(renameat2, CWD, "file", CWD, "third", RENAME_EXCHANGE | RENAME_WHITEOUT));
    ASK(CALL(renameat2, CWD, "file", CWD, "third", 8));
    ASK(CALL(renameat2, CWD, "file", CWD, "folder", 0));
    ASK(CALL(renameat2, CWD, "folder", CWD, "file", 0));
    ASK(CALL(renameat2, CWD, "folder", CWD, "folder/below", 0));
    ASK(CALL(newfstatat, CWD, "file", &status, 0x200));
    ASK(CALL(newfstatat, CWD, "file", &status, 0x900));
    ASK(CALL(newfstatat, CWD, "", &status, 0));
    ASK(CALL(newfstatat, CWD, "", &status, AT_EMPTY_PATH));
    ASK(CALL(newfstatat, 99, "", &status, AT_EMPTY_PATH));
    ASK(CALL(newfstatat, CWD, "file", NOWHERE, 0));
    ASK(CALL(statx, CWD, "file", 0x200, 0x7ff, buffer));
    ASK(CALL(statx, CWD, "file", 0x6000, 0x7ff, buffer));
    ASK(CALL(statx, CWD, "file", 0x2000, 0x7ff, buffer));
    ASK(CALL(statx, CWD, "file", 0, 0x80000000, buffer));
    ASK(CALL(statx, CWD, "file", 0, 0x40000000, buffer));
    ASK(CALL(faccessat2, CWD, "file", 8, 0));
    ASK(CALL(faccessat2, CWD, "file", R_OK, 0x400));
    ASK(CALL(faccessat2, CWD, "link", R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW));
    ASK(CALL(faccessat2, CWD, "", R_OK, AT_EMPTY_PATH));
    ASK(CALL(faccessat2, CWD, "file", X_OK, 0));
    ASK(CALL(fchmodat, CWD, "link", 0600));
    ASK(CALL(fchownat, CWD, "file", -1, -1, 0x200));
    ASK(CALL(fchownat, CWD, "link", -1, -1, AT_SYMLINK_NOFOLLOW));
    ASK(CALL(mkdirat, CWD, "folder", 0700));
    ASK(CALL(mknodat, CWD, "fifo", S_IFIFO | 0600, 0));
    ASK(CALL(mknodat, CWD, "device", S_IFCHR | 0600, 0x103));
    ASK(CALL(mknodat, CWD, "other", S_IFDIR | 0600, 0));
    ASK(CALL(mknodat, CWD, "other", 0x5000 | 0600, 0));
    ASK(CALL(readlinkat, CWD, "link", buffer, 0));
    ASK(CALL(readlinkat, CWD, "link", buffer, -1));
    ASK(CALL(readlinkat, CWD, "file", buffer, 9));
    ASK(CALL(symlinkat, "", CWD, "empty"));
    struct timespec times[2] = {{1, 0}, {1, 1000000000}}, both[2] = {{5, UTIME_OMIT}, {-7, UTIME_OMIT}};
    ASK(CALL(utimensat, CWD, "file", times, 0));
    ASK(CALL(utimensat, CWD, "file", both, 0));
    ASK(CALL(utimensat, CWD, "missing", both, 0));
    ASK(CALL(utimensat, CWD, "file", NULL, 0x200));
    ASK(CALL(utimensat, CWD, NULL, NULL, 0));
    ASK(CALL(utimensat, open("file", O_RDONLY), NULL, NULL, 0));
    ASK(CALL(utimensat, open("file", O_RDONLY), NULL, NULL, AT_SYMLINK_NOFOLLOW));
    ASK(CALL(utimensat, open("file", O_RDONLY), NULL, NULL, AT_EMPTY_PATH));
    ASK(CALL(utimensat, open("file", O_PATH), NULL, NULL, 0));
    ASK(CALL(utimensat, CWD, "link", NULL, AT_SYMLINK_NOFOLLOW));
    ASK(CALL(getcwd, buffer, 1));
    ASK(CALL(getcwd, buffer, 0));
}

int main(void)
{
    char place[] = "/dev/shm/calls.XXXXXX";
    if (!mkdtemp(place) || chdir(place) || mkdir("folder", 0755))
        return 2;
    if (symlink("file", "link") || symlink("missing/file", "nowhere"))
        return 2;
    opening();
    sizes();
    names();
    char remove[64];
    sprintf(remove, "rm -r %s 2>/dev/null", place);
    return chdir("/") || (system(remove) && 0);
}

/* Limits on files: RLIMIT_FSIZE, and the seals of memfd_create(2). */
#include "calls.h"
#include <sys/uio.h>


static void size_limit(void)
{
    struct rlimit limit = {PAGE, RLIM_INFINITY};
    int file = bytes_file(0);
    char bytes[2 * PAGE] = {0};
    ASK(setrlimit(RLIMIT_FSIZE, &limit));
    APART(write(file, bytes, 2 * PAGE) == PAGE ? 0 : -1);
    ASK(lseek(file, 0, SEEK_SET));
    VALUE(write(file, bytes, 2 * PAGE));
    APART(write(file, bytes, 1));
    APART(pwrite(file, bytes, 1, PAGE));
    APART(pwrite(file, bytes, 1, PAGE - 1) - 1);
    APART(ftruncate(file, PAGE + 1));
    APART(ftruncate(file, PAGE));
    APART(fallocate(file, 0, 0, PAGE + 1));
    APART(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 4 * PAGE));
    struct iovec vector[2] = {{bytes, PAGE}, {bytes, PAGE}};
    APART(pwritev(file, vector, 2, 1) == PAGE - 1 ? 0 : -1);
    signal(SIGXFSZ, SIG_IGN);
    ASK(write(file, bytes, 1));
    ASK(ftruncate(file, PAGE + 1));
    ASK(fallocate(file, 0, 0, PAGE + 1));
    int other = bytes_file(PAGE);
    ASK(CALL(copy_file_range, other, NULL, file, NULL, PAGE, 0));
    ASK(CALL(sendfile, file, other, NULL, PAGE));
    int pipe_[2];
    VALUE(pipe(pipe_) ? -1 : write(pipe_[1], bytes, 2 * PAGE));
    limit.rlim_cur = RLIM_INFINITY;
    ASK(setrlimit(RLIMIT_FSIZE, &limit));
    ASK(write(file, bytes, 1));
}

static void seals(void)
{
    static const unsigned FLAGS[] = {0, 1, 2, 3, 4, 8, 0x10, 0x18, 0xa, 0x20, 0x80000000};
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
        int file = CALL(memfd_create, "name", FLAGS[i]);
        struct stat status = {0};
        fstat(file, &status);
        printf("memfd_create %#x: %s, mode %o, seals %#x\n", FLAGS[i],
               file < 0 ? strerrorname_np(errno) : "ok", status.st_mode, fcntl(file, F_GET_SEALS));
    }
    char bytes[PAGE] = {0}, long_name[300];
    memset(long_name, 'a', 299);
    long_name[299] = 0;
    ASK(CALL(memfd_create, long_name, 0));
    ASK(CALL(memfd_create, long_name + 50, 0));
    ASK(CALL(memfd_create, NOWHERE, 0));
    int file = CALL(memfd_create, "", MFD_ALLOW_SEALING), plain = bytes_file(PAGE);
    ASK(ftruncate(file, 2 * PAGE));
    VALUE(fcntl(plain, F_GET_SEALS));
    ASK(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW));
    ASK(fcntl(CALL(memfd_create, "", 0), F_ADD_SEALS, F_SEAL_GROW));
    ASK(fcntl(file, F_ADD_SEALS, 0x40));
    ASK(fcntl(open("/dev/shm", O_RDONLY), F_GET_SEALS));
    int pipe_[2], reading;
    char name[64];
    sprintf(name, "/proc/self/fd/%d", file);
    reading = open(name, O_RDONLY);
    ASK(fcntl(reading, F_ADD_SEALS, F_SEAL_GROW));
    VALUE(fcntl(reading, F_GET_SEALS));
    VALUE(pipe(pipe_) ? 0 : fcntl(pipe_[0], F_GET_SEALS));
    ASK(fcntl(file, F_ADD_SEALS, F_SEAL_GROW));
    ASK(ftruncate(file, 3 * PAGE));
    ASK(fallocate(file, 0, 0, 3 * PAGE));
    ASK(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 3 * PAGE));
    VALUE(pwrite(file, bytes, PAGE, 2 * PAGE));
    VALUE(pwrite(file, bytes, PAGE, PAGE + 10));
    VALUE(pwrite(file, bytes, PAGE, PAGE));
    ASK(ftruncate(file, PAGE));
    ASK(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK));
    ASK(ftruncate(file, 0));
    ASK(open(name, O_RDWR | O_TRUNC));
    VALUE(fcntl(file, F_GET_SEALS));
    char *mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ASK(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    ASK(munmap(mapped, PAGE));
    char *kept = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reading, 0);
    ASK(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    VALUE(fcntl(file, F_GET_SEALS));
    VALUE(write(file, bytes, 1));
    VALUE(write(file, bytes, 0));
    ASK(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
    ASK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    ASK(shared);
    ASK(mprotect(shared, PAGE, PROT_READ | PROT_WRITE));
    ASK(mprotect(kept, PAGE, PROT_READ | PROT_WRITE));
    ASK(madvise(shared, PAGE, MADV_REMOVE));
    ASK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0));
    ASK(fcntl(file, F_ADD_SEALS, F_SEAL_SEAL));
    ASK(fcntl(file, F_ADD_SEALS, F_SEAL_GROW));
    ASK(fchmod(file, 0600));
    int future = CALL(memfd_create, "", MFD_ALLOW_SEALING);
    ASK(ftruncate(future, PAGE));
    mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0);
    ASK(fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    VALUE(mapped[0] = 5);
    VALUE(write(future, bytes, 1));
    ASK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0));
    ASK(mprotect(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, future, 0), PAGE, PROT_READ | PROT_WRITE));
    ASK(mprotect(mapped, PAGE, PROT_READ));
    ASK(mprotect(mapped, PAGE, PROT_READ | PROT_WRITE));
    int exec = CALL(memfd_create, "", MFD_NOEXEC_SEAL);
    ASK(fchmod(exec, 0777));
    ASK(fchmod(exec, 0600));
    VALUE(fcntl(exec, F_GET_SEALS));
    int bare = CALL(memfd_create, "", MFD_ALLOW_SEALING);
    VALUE(fcntl(bare, F_ADD_SEALS, F_SEAL_EXEC) + fcntl(bare, F_GET_SEALS));
    ASK(fchmod(bare, 0600));
}

int main(void)
{
    size_limit();
    seals();
}

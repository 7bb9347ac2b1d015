/* Do pipes block, fill, drain and end rightly between processes?
 *
 * A megabyte through a pipe from child to parent, more than it holds; end of
 * file only when every writer has closed; a full pipe and O_NONBLOCK; a chain of
 * filters; descriptors shared over fork, with their file position. */
#include "check.h"

#include <fcntl.h>

static void through(void)
{
    enum { SIZE = 1 << 20 };
    int ends[2];
    NEED(pipe(ends) == 0);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        static unsigned char block[5000];
        NEED(close(ends[0]) == 0);
        for (int at = 0; at < SIZE;) {
            int length = SIZE - at < (int)sizeof block ? SIZE - at : (int)sizeof block;
            for (int byte = 0; byte < length; byte++)
                block[byte] = (unsigned char)((at + byte) % 253);
            NEED(write(ends[1], block, length) == length); /* blocks until all is taken */
            at += length;
        }
        _exit(0);
    }
    NEED(close(ends[1]) == 0);
    int at = 0, wrong = 0;
    static unsigned char block[3001];
    for (ssize_t got; (got = read(ends[0], block, sizeof block)) > 0; at += got) {
        for (int byte = 0; byte < got; byte++)
            wrong += block[byte] != (at + byte) % 253;
    }
    CHECK(at == SIZE && wrong == 0, "a megabyte, in order, then end of file");
    join(pid);
    NEED(close(ends[0]) == 0);
}

static void end_of_file(void)
{
    int ends[2];
    char byte;
    struct gate gate;
    NEED(pipe(ends) == 0);
    gate_make(&gate);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        gate_wait(&gate);
        NEED(write(ends[1], "x", 1) == 1);
        _exit(0); /* closes the last writer */
    }
    NEED(close(ends[1]) == 0);
    NEED(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK(read(ends[0], &byte, 1) == -1 && errno == EAGAIN, "no end while a child holds it");
    NEED(fcntl(ends[0], F_SETFL, 0) == 0);
    gate_open(&gate);
    CHECK(read(ends[0], &byte, 1) == 1, "a byte");
    CHECK(read(ends[0], &byte, 1) == 0, "then the end");
    join(pid);
    NEED(close(ends[0]) == 0);
}

static void full(void)
{
    int ends[2];
    static char block[4096];
    NEED(pipe2(ends, O_NONBLOCK) == 0);
    int total = 0;
    ssize_t wrote;
    while ((wrote = write(ends[1], block, sizeof block)) > 0)
        total += wrote;
    CHECK(wrote == -1 && errno == EAGAIN && total == 65536, "a pipe holds 64 KiB");
    NEED(read(ends[0], block, sizeof block) == sizeof block);
    CHECK(write(ends[1], block, sizeof block) == sizeof block, "and more when read");
    NEED(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void filters(void)
{
    enum { LENGTH = 10 };
    int first[2], ends[2], before;
    NEED(pipe(first) == 0);
    before = first[0];
    for (int filter = 0; filter < LENGTH; filter++) {
        NEED(pipe(ends) == 0);
        pid_t pid = fork();
        NEED(pid >= 0);
        if (pid == 0) {
            char byte;
            NEED(close(first[1]) == 0 && close(ends[0]) == 0);
            while (read(before, &byte, 1) == 1) {
                byte++;
                NEED(write(ends[1], &byte, 1) == 1);
            }
            _exit(0);
        }
        NEED(close(before) == 0 && close(ends[1]) == 0);
        before = ends[0];
    }
    char text[32] = "";
    NEED(write(first[1], "abcdef", 6) == 6 && close(first[1]) == 0);
    for (size_t at = 0; read(before, text + at, 1) == 1; at++)
        ;
    CHECK(strcmp(text, "klmnop") == 0, "ten filters in a row");
    for (int filter = 0; filter < LENGTH; filter++)
        NEED(wait(NULL) > 0);
    NEED(close(before) == 0);
}

static void positions(void)
{
    char name[] = "/tmp/pipes.XXXXXX", text[8] = "";
    int file = mkstemp(name);
    NEED(file >= 0 && unlink(name) == 0 && write(file, "abcdef", 6) == 6);
    NEED(lseek(file, 0, SEEK_SET) == 0);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(read(file, text, 2) == 2);
        NEED(close(file) == 0);
        _exit(strcmp(text, "ab") != 0);
    }
    join(pid);
    CHECK(read(file, text, 8) == 4 && !memcmp(text, "cdef", 4), "one file position for both");
}

int main(void)
{
    through();
    end_of_file();
    full();
    filters();
    positions();
    return verdict();
}

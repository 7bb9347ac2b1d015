/* Mappings of files and their files: msync(2). */
#include "ask.h"

int main(void)
{
    drop_capabilities();
    int file = bytes_file(4 * PAGE);
    char *shared = mmap(NULL, 4 * PAGE, RW, SHARED, file, 0), byte = 0;
    char *copied = mmap(NULL, 4 * PAGE, RW, PRIVATE, file, 0), *memory = pages(4, RW, PRIVATE);
    char *read_only = mmap(NULL, 4 * PAGE, RO, SHARED, file, 0), *none = pages(2, NONE, SHARED);
    shared[0] = 's';
    copied[0] = 'c';
    ASK(msync(shared, 4 * PAGE, MS_SYNC));
    pread(file, &byte, 1, 0);
    say("%c\n", byte);
    ASK(msync(copied, 4 * PAGE, MS_SYNC));
    pread(file, &byte, 1, 0);
    say("%c %c %c\n", byte, copied[0], read_only[0]);
    ASK(msync(shared, 4 * PAGE, MS_ASYNC));
    ASK(msync(shared, 4 * PAGE, 0));
    ASK(msync(shared, 4 * PAGE, MS_SYNC | MS_ASYNC));
    ASK(msync(shared, 4 * PAGE, MS_INVALIDATE));
    ASK(msync(shared, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
    ASK(msync(shared, 4 * PAGE, MS_ASYNC | MS_INVALIDATE));
    ASK(msync(shared, 4 * PAGE, 8));
    ASK(msync(shared, 4 * PAGE, -1));
    ASK(msync(shared + 1, PAGE, MS_SYNC));
    ASK(msync(shared + 1, 0, 8));
    ASK(msync(shared, 1, MS_SYNC));
    ASK(msync(shared, 0, MS_SYNC));
    ASK(msync(NULL, 0, MS_SYNC));
    ASK(msync(NULL, PAGE, MS_SYNC));
    ASK(msync(shared, -PAGE, MS_SYNC));
    ASK(msync(shared, -1UL, MS_SYNC));
    ASK(msync(memory, 4 * PAGE, MS_SYNC));
    ASK(msync(memory, 5 * PAGE, MS_SYNC));
    ASK(msync(memory - PAGE, 2 * PAGE, MS_SYNC));
    ASK(msync(read_only, 4 * PAGE, MS_SYNC));
    ASK(msync(none, 2 * PAGE, MS_SYNC));
    munmap(memory + PAGE, PAGE);
    ASK(msync(memory, 4 * PAGE, MS_SYNC));
    ASK(msync(memory + PAGE, PAGE, MS_SYNC));
    ASK(msync(memory + PAGE, PAGE, MS_INVALIDATE));
    ASK(mlock(memory + 3 * PAGE, PAGE));
    ASK(msync(memory, PAGE, MS_SYNC | MS_INVALIDATE));
    ASK(msync(memory, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
    ASK(msync(memory + 2 * PAGE, PAGE, MS_INVALIDATE));
    ASK(msync(memory + 2 * PAGE, 2 * PAGE, MS_INVALIDATE));
    ASK(msync(memory + 3 * PAGE, PAGE, MS_SYNC));
    ASK(munlock(memory + 3 * PAGE, PAGE));
    ASK(msync(memory + 2 * PAGE, 2 * PAGE, MS_INVALIDATE));
    ASK(syscall(SYS_mlock2, shared, PAGE, 1));
    ASK(msync(shared, PAGE, MS_ASYNC | MS_INVALIDATE));
    ASK(ftruncate(file, PAGE));
    ASK(msync(shared, 4 * PAGE, MS_SYNC));
    APART("a store beyond the end", shared[2 * PAGE] = 1);
    shared[100] = 'z';
    ASK(munmap(shared, 4 * PAGE));
    pread(file, &byte, 1, 100);
    say("%c\n", byte);
}

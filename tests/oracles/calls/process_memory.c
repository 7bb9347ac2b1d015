/* The memory of another process: process_vm_readv(2), process_vm_writev(2), and kcmp(2). */
#include "calls.h"
#include <sys/uio.h>

static char *memory;
static int ready[2], go[2];

/* A child that shares the pages, and shows what it finds in them. */
static pid_t start(void)
{
    pid_t child = fork();
    if (!child) {
        char byte;
        write(ready[1], "x", 1);
        read(go[0], &byte, 1);
        printf("child has \"%s\"\n", memory);
        fflush(stdout);
        _exit(0);
    }
    char byte;
    read(ready[0], &byte, 1);
    return child;
}

static void refused(pid_t child)
{
    char bytes[8] = {0};
    struct iovec local = {bytes, 4}, remote = {memory, 4}, none = {bytes, 0}, bad = {NOWHERE, 4};
    struct iovec huge = {bytes, (size_t)-1};
    ASK(CALL(process_vm_readv, 99999, &local, 1L, &remote, 1L, 1L));
    ASK(CALL(process_vm_readv, 99999, NOWHERE, 1L, &remote, 1L, 0L));
    ASK(CALL(process_vm_readv, 99999, &local, 1025L, &remote, 1L, 0L));
    ASK(CALL(process_vm_readv, 99999, &huge, 1L, &remote, 1L, 0L));
    ASK(CALL(process_vm_readv, 99999, &none, 1L, NOWHERE, 1L, 0L));
    ASK(CALL(process_vm_readv, 99999, &local, 0L, NOWHERE, 1L, 0L));
    ASK(CALL(process_vm_readv, 99999, &local, 1L, NOWHERE, 1L, 0L));
    ASK(CALL(process_vm_readv, 99999, &local, 1L, &remote, 1025L, 0L));
    ASK(CALL(process_vm_readv, 99999, &local, 1L, &none, 1L, 0L));
    ASK(CALL(process_vm_readv, 99999, &local, 1L, &remote, 1L, 0L));
    ASK(CALL(process_vm_readv, 0, &local, 1L, &remote, 1L, 0L));
    ASK(CALL(process_vm_readv, -1, &local, 1L, &remote, 1L, 0L));
    ASK(CALL(process_vm_readv, child, &bad, 1L, &remote, 1L, 0L));
    ASK(CALL(process_vm_readv, child, &local, 1L, &bad, 1L, 0L));
    ASK(CALL(process_vm_writev, child, &local, 1L, &bad, 1L, 0L));
    ASK(CALL(process_vm_writev, child, &bad, 1L, &remote, 1L, 0L));
    struct iovec last = {memory + PAGE - 2, 8}, wide = {bytes, 8};
    mprotect(memory + PAGE, PAGE, PROT_READ);
    VALUE(CALL(process_vm_writev, getpid(), &wide, 1L, &last, 1L, 0L));
    mprotect(memory + PAGE, PAGE, PROT_NONE);
    VALUE(CALL(process_vm_readv, getpid(), &wide, 1L, &last, 1L, 0L));
    mprotect(memory, 2 * PAGE, PROT_READ | PROT_WRITE);
}

static void copies(pid_t child)
{
    char text[16] = {0};
    struct iovec local[2] = {{text, 2}, {text + 4, 4}}, remote[2] = {{memory, 3}, {memory + 1, 9}};
    VALUE(CALL(process_vm_readv, child, local, 2L, remote, 2L, 0L));
    for (int i = 0; i < 10; i++)
        printf("%c", text[i] ? text[i] : '.');
    puts("");
    struct iovec from = {"stored", 7}, to = {memory, 7};
    VALUE(CALL(process_vm_writev, child, &from, 1L, &to, 1L, 0L));
    printf("parent has \"%s\"\n", memory);
}

static void compares(pid_t child)
{
    int self = getpid(), twice = dup(1), other = open("/dev/null", O_RDONLY);
    ASK(CALL(kcmp, 99999, self, 0, 1L, 1L));
    ASK(CALL(kcmp, self, 0, 0, 1L, 1L));
    ASK(CALL(kcmp, self, self, 99, 1L, 1L));
    ASK(CALL(kcmp, self, self, -1, 1L, 1L));
    ASK(CALL(kcmp, self, self, 0, 1L, 999L));
    ASK(CALL(kcmp, self, self, 0, -1L, 1L));
    VALUE(CALL(kcmp, self, self, 0, 1L, (long)twice));
    VALUE(CALL(kcmp, self, self, 0, 1L, (long)other) > 0);
    VALUE(CALL(kcmp, self, child, 0, 1L, 1L));
    for (int kind = 1; kind < 7; kind++) {
        printf("kind %d: %ld, ", kind, CALL(kcmp, self, self, kind, 0L, 0L));
        printf("%d\n", CALL(kcmp, self, child, kind, 0L, 0L) > 0);
    }
}

int main(void)
{
    pipe(ready);
    pipe(go);
    memory = pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    strcpy(memory, "before");
    pid_t child = start();
    refused(child);
    copies(child);
    compares(child);
    write(go[1], "x", 1);
    siginfo_t info;
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    struct iovec local = {memory, 4};
    ASK(CALL(process_vm_readv, child, &local, 1L, &local, 1L, 0L)); /* a zombie */
    waitpid(child, NULL, 0);
}

/* Can a program catch its own page faults, learn what was wrong, and repair it?
 *
 * A handler gets SIGSEGV with the exact address, SEGV_MAPERR where nothing is
 * mapped and SEGV_ACCERR where protection forbids it, and the pc of the
 * instruction. It repairs with mprotect or mmap and returns, and the instruction
 * runs again; or it leaves with siglongjmp. N pages are repaired one by one. */
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

static volatile sig_atomic_t caught;
static volatile siginfo_t last;
static volatile unsigned long last_pc;
static volatile int repair; /* 0: leave by siglongjmp */
static sigjmp_buf leave;

static void on_segv(int number, siginfo_t *info, void *context)
{
    NEED(number == SIGSEGV);
    caught++;
    last.si_code = info->si_code;
    last.si_addr = info->si_addr;
    last_pc = ((ucontext_t *)context)->uc_mcontext.__gregs[REG_PC];
    char *page = (char *)((unsigned long)info->si_addr & -PAGE);
    if (!repair)
        siglongjmp(leave, 1);
    if (info->si_code == SEGV_ACCERR)
        NEED(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
    else
        NEED(mmap(page, PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
}

/* A store, a load and a jump whose pc is known. */
extern char store_here[], load_here[];
static __attribute__((noinline)) void store(char *at)
{
    __asm__ volatile("store_here: sb %1, 0(%0)" ::"r"(at), "r"(7) : "memory");
}

static __attribute__((noinline)) char load(char *at)
{
    long value;
    __asm__ volatile("load_here: lb %0, 0(%1)" : "=r"(value) : "r"(at) : "memory");
    return (char)value;
}

static int was(int code, const char *address, const char *pc)
{
    return last.si_code == code && last.si_addr == address && last_pc == (unsigned long)pc;
}

int main(int argc, char **argv)
{
    volatile size_t count = pages_wanted(argc, argv, 16); /* kept over siglongjmp */
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
    NEED(sigaction(SIGSEGV, &action, NULL) == 0);
    char *memory = new_pages(count + 1);
    char *hole = memory + count * PAGE;
    NEED(munmap(hole, PAGE) == 0);
    NEED(mprotect(memory, count * PAGE, PROT_READ) == 0);

    if (!sigsetjmp(leave, 1))
        store(memory + 123);
    CHECK(was(SEGV_ACCERR, memory + 123, store_here), "a store to read-only memory");
    if (!sigsetjmp(leave, 1))
        load(hole + 5);
    CHECK(was(SEGV_MAPERR, hole + 5, load_here), "a load where nothing is");
    if (!sigsetjmp(leave, 1))
        store(NULL);
    CHECK(was(SEGV_MAPERR, NULL, store_here), "a store to address 0");
    NEED(mprotect(memory, PAGE, PROT_NONE) == 0);
    if (!sigsetjmp(leave, 1))
        load(memory + 9);
    CHECK(was(SEGV_ACCERR, memory + 9, load_here), "a load from memory without access");
    NEED(mprotect(memory, PAGE, PROT_READ) == 0);
    if (!sigsetjmp(leave, 1))
        ((void (*)(void))memory)();
    CHECK(was(SEGV_ACCERR, memory, memory), "a jump to memory that is not executable");
    if (!sigsetjmp(leave, 1))
        ((void (*)(void))16)();
    CHECK(was(SEGV_MAPERR, (char *)16, (char *)16), "a jump to nowhere");
    CHECK(caught == 6, "six faults were caught");

    repair = 1;
    caught = 0;
    for (size_t page = 0; page < count; page++)
        store(memory + page * PAGE + page);
    CHECK(caught == (int)count, "a fault for each page, once repaired none");
    int right = 1;
    for (size_t page = 0; page < count; page++)
        right &= memory[page * PAGE + page] == 7;
    CHECK(right, "the repaired stores are done");
    store(hole + 8);
    CHECK(caught == (int)count + 1 && load(hole + 8) == 7, "a hole filled by the handler");

    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        store(NULL);
        _exit(0);
    }
    int status = status_of(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "without a handler it ends");
    return verdict();
}

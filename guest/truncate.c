/* What becomes of a mapping whose file gets shorter?
 *
 * Pages beyond the new end are gone from every mapping, in the parent and in the
 * child, shared and private, even where a private page had been copied: SIGBUS.
 * The rest of the last page reads as zeroes, and so does a file that grows again. */
#include "check.h"

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf back;
static volatile int signal_caught;
static void *volatile address_caught;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    signal_caught = number;
    address_caught = info->si_addr;
    siglongjmp(back, 1);
}

/* Whether touching the byte is SIGBUS at just that address. */
static int is_bus(volatile char *byte, int store)
{
    signal_caught = 0;
    if (sigsetjmp(back, 1) == 0) {
        if (store)
            *byte = 1;
        else
            (void)*byte;
    }
    return signal_caught == SIGBUS && address_caught == (void *)byte;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    NEED(sigaction(SIGBUS, &action, NULL) == 0);
    char name[] = "/tmp/truncate.XXXXXX";
    int file = mkstemp(name);
    NEED(file >= 0 && unlink(name) == 0);
    char page[PAGE];
    memset(page, 'f', sizeof page);
    for (int i = 0; i < 4; i++)
        NEED(write(file, page, PAGE) == (ssize_t)PAGE);
    char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    char *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    NEED(shared != MAP_FAILED && private != MAP_FAILED);
    mark(shared, 4, 's');
    private[2 * PAGE] = 'p';
    NEED(private[3 * PAGE] == 's');
    struct gate shorter;
    gate_make(&shorter);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        gate_wait(&shorter);
        CHECK(is_bus(shared + 3 * PAGE, 0), "child: a shared page beyond the end");
        CHECK(is_bus(private + 2 * PAGE, 0), "child: a private copy beyond the end");
        _exit(verdict());
    }
    NEED(ftruncate(file, PAGE + 100) == 0);
    gate_open(&shorter);
    join(pid);
    CHECK(shared[PAGE + 99] == 'f' && shared[PAGE + 100] == 0, "zeroes after the end");
    CHECK(is_bus(shared + 2 * PAGE + 7, 0), "a load beyond the end");
    CHECK(is_bus(shared + 3 * PAGE + 9, 1), "a store beyond the end");
    CHECK(is_bus(private + 3 * PAGE, 0), "a private page beyond the end");
    CHECK(is_bus(private + 2 * PAGE, 1), "a private copy beyond the end");
    CHECK(write(STDOUT_FILENO, shared + 2 * PAGE, 1) == -1 && errno == EFAULT,
          "the kernel finds it gone too");
    NEED(ftruncate(file, 4 * PAGE) == 0);
    CHECK(shared[2 * PAGE] == 0 && private[2 * PAGE] == 0, "zeroes when it grows again");
    return verdict();
}

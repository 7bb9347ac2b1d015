"""Does a program behave the same with traps handled in the engine's hook and in the run loop?

A machine that is deterministic has no vector. It must show a program what the vector shows it, and
so must one that has an observer.
"""

from __future__ import annotations

import pytest

from emu import Machine, Options
from emu.machine.cause import Cause
from emu.session import Session
from kernel.mm.forking.fork import POLICIES
from kernel.process.observer import Fault, Observer
from kernel.process.process import Thread
from tests.kernel.syscalls.guests import compiled, output, run

FAULT_AND_GO_ON = r"""
#include <setjmp.h>
static sigjmp_buf back;
static siginfo_t last;
static int faults;
static void on_fault(int signo, siginfo_t *info, void *context)
{
    last = *info;
    faults++;
    siglongjmp(back, 1);
}
/* Whether the statement made no fault. */
#define DONE(statement) (sigsetjmp(back, 1) ? 0 : ((void)(statement), 1))
static inline void expect(int right, const char *what)
{
    if (!right)
        say("FAIL %s, errno %d\n", what, errno);
}
#define EXPECT(condition) expect(condition, #condition)
#define ANYWHERE MAP_PRIVATE | MAP_ANONYMOUS, -1, 0
#define HERE MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0
#define RW PROT_READ | PROT_WRITE
"""

SIGNALS_TO_ONESELF = r"""
static volatile long count;
static void on(int signo) { count++; }
static long after(long call, long first, long second, long third)
{
    register long a0 asm("a0") = first;
    register long a1 asm("a1") = second;
    register long a2 asm("a2") = third;
    register long a7 asm("a7") = call;
    long seen;
    asm volatile("ecall\n\tld %0, (%5)" : "=&r"(seen), "+r"(a0)
                 : "r"(a1), "r"(a2), "r"(a7), "r"(&count) : "memory");
    return a0 ? -1 : seen;
}
int main(void) {
    catch(SIGUSR1, on, 0);
    catch(SIGRTMIN, on, 0);
    sigset_t set = set_of(SIGUSR1, 0);
    long sum = 0;
    for (int i = 0; i < 70; i++) {
        sum += after(SYS_kill, getpid(), SIGUSR1, 0) == 4 * i + 1;
        sum += after(SYS_tgkill, getpid(), gettid(), SIGRTMIN) == 4 * i + 2;
        sum += after(SYS_tkill, gettid(), SIGUSR1, 0) == 4 * i + 3;
        sigprocmask(SIG_BLOCK, &set, NULL);
        sum += after(SYS_kill, getpid(), SIGUSR1, 0) == 4 * i + 3;
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        sum += count == 4 * i + 4;
    }
    say("%ld\n", sum);
}
"""

REFUSED_STORES = (
    FAULT_AND_GO_ON
    + r"""
int main(void) {
    catch_info(SIGSEGV, on_fault, 0);
    char *pages = mmap(NULL, 3 * 4096, RW, ANYWHERE);
    pages[0] = pages[8192] = 1;
    mprotect(pages, 4096, PROT_READ);
    munmap(pages + 4096, 4096);
    for (int i = 0; i < 70; i++) {
        char *only_read = pages + 1 + i * 50, *nothing = only_read + 4096;
        EXPECT(!DONE(*(volatile char *)only_read = 1));
        EXPECT(last.si_addr == only_read && last.si_code == SEGV_ACCERR);
        EXPECT(!DONE(*(volatile char *)nothing = 1));
        EXPECT(last.si_addr == nothing && last.si_code == SEGV_MAPERR);
    }
    /* What faults is the second page of it. */
    char *end = pages + 3 * 4096 - 3;
    munmap(pages + 3 * 4096, 4096);
    EXPECT(!DONE(({ long v = -1; asm volatile("sd %0, (%1)" :: "r"(v), "r"(end) : "memory"); })));
    EXPECT(last.si_addr == end + 3 && !end[0]);
    EXPECT(DONE(memset(mmap(NULL, 200 * 4096, RW, ANYWHERE), 1, 200 * 4096)));
    say("%d faults, %d %d\n", faults, pages[0], pages[8192]);
}
"""
)

STRADDLING = (
    FAULT_AND_GO_ON
    + r"""
static void store(char *at, long value) {
    asm volatile("sd %0, (%1)" :: "r"(value), "r"(at) : "memory");
}
int main(void) {
    for (int state = 0; state < 16; state++) {
        char *page = mmap(NULL, 2 * 4096, RW, ANYWHERE);
        if (state & 1) page[0] = 1;
        if (state & 2) page[4096] = 2;
        long before, after;
        int status = -1;
        if (state & 4) {
            if (!fork()) {
                if (state & 8) page[1] = 3;
                store(page + 4091, 0x0807060504030201);
                memcpy(&after, page + 4091, 8);
                _exit(after != 0x0807060504030201 || page[4090] || page[4099]
                      || page[4096] != 6 || page[0] != (state & 1));
            }
            wait(&status);
            memcpy(&before, page + 4091, 8);
            EXPECT(!status && before == (state & 2 ? 2L << 40 : 0));
        }
        store(page + 4091, -1);
        memcpy(&after, page + 4091, 8);
        EXPECT(after == -1 && !page[4090] && !page[4099]);
        munmap(page, 8192);
    }
    say("end\n");
}
"""
)

FETCHES = (
    FAULT_AND_GO_ON
    + r"""
#include <sys/syscall.h>
enum { PAGES = 200 };
typedef long function(long sum, long *at);
/* The end of each page and the start of the next: sw a0,(a1); c.addi a0,1; addi a0,a0,1; ret.
 * The third is in both pages. */
static const unsigned short end[] = {0xc188, 0x0505, 0x0513}, start[] = {0x0015, 0x8082};
static long call(char *code, long sum, long *at) { return ((function *)code)(sum, at); }
int main(void) {
    catch_info(SIGSEGV, on_fault, 0);
    catch_info(SIGBUS, on_fault, 0);
    catch_info(SIGILL, on_fault, 0);
    int fd = syscall(SYS_memfd_create, "code", 0);
    ftruncate(fd, PAGES * 4096);
    for (int page = 0; page < PAGES; page++) {
        pwrite(fd, start, sizeof start, page * 4096);
        pwrite(fd, end, sizeof end, page * 4096 + 4090);
    }
    long sum = 0, stored[8 * 512] = {0};
    for (int kind = 0; kind < 3; kind++) {
        int flags = kind ? MAP_PRIVATE : MAP_SHARED;
        char *code = mmap(NULL, (PAGES + 1) * 4096, PROT_READ | PROT_EXEC, flags, fd, 0);
        for (int i = 0; i < PAGES - 1; i++) {
            char *page = code + i * 77 % (PAGES - 1) * 4096;
            sum += call(page + 2, 1, NULL) - 1;
            sum += call(page + 4092, 0, NULL);
            sum += call(page + 4090, 5, stored + i) - 5;
            EXPECT(stored[i] == 5);
        }
        if (kind == 2 && !fork()) {
            _exit(call(code + 4092, 40, NULL));
        }
        munmap(code + 4096, 4096);
        mprotect(code + 2 * 4096, 4096, PROT_READ);
        for (int i = 0; i < 40; i++) {
            EXPECT(!DONE(call(code + 4096 + 2 * i, 0, NULL)));
            EXPECT(last.si_addr == code + 4096 + 2 * i && last.si_code == SEGV_MAPERR);
            EXPECT(!DONE(call(code + 2 * 4096 + 2 * i, 0, NULL)));
            EXPECT(last.si_addr == code + 2 * 4096 + 2 * i && last.si_code == SEGV_ACCERR);
            EXPECT(!DONE(call(code + 4092, 0, NULL)));
            EXPECT(last.si_addr == code + 4096 && last.si_code == SEGV_MAPERR);
            /* The store faults first. */
            EXPECT(!DONE(call(code + 4090, 0, (long *)8)));
            EXPECT(last.si_addr == (void *)8);
            EXPECT(!DONE(call(code + PAGES * 4096, 0, NULL)));
            EXPECT(last.si_signo == SIGBUS && last.si_addr == code + PAGES * 4096);
            char *zeroes = mmap(NULL, 4096, PROT_READ | PROT_EXEC, ANYWHERE);
            EXPECT(!DONE(call(zeroes + 2 * i, 0, NULL)));
            EXPECT(last.si_signo == SIGILL && last.si_addr == zeroes + 2 * i);
            munmap(zeroes, 4096);
        }
    }
    int status;
    wait(&status);
    say("%ld %d, %d faults\n", sum, WEXITSTATUS(status), faults);
}
"""
)

RESERVATIONS = (
    FAULT_AND_GO_ON
    + r"""
int main(void) {
    int *page = mmap(NULL, 40 * 4096, RW, ANYWHERE), status;
    volatile char *other = (char *)(page + 1024);
    for (int round = 0; round < 10; round++) {
        int old, failed, tries = 0, seen = page[0];
        if (!fork()) {
            /* The SC's own store faults. */
            asm volatile("1: lr.w %0, (%2)\n addi %0, %0, 1\n sc.w %1, %0, (%2)\n bnez %1, 1b"
                         : "=&r"(old), "=&r"(failed) : "r"(page) : "memory");
            EXPECT(page[0] == seen + 1);
            /* A store between the two faults: either may happen to the SC, and once. */
            volatile char *untouched = other + round * 4096;
            do {
                asm volatile("lr.w %0, (%2)\n sb %0, (%3)\n addi %0, %0, 1\n sc.w %1, %0, (%2)"
                             : "=&r"(old), "=&r"(failed) : "r"(page), "r"(untouched) : "memory");
                EXPECT(page[0] == seen + 1 + !failed);
            } while (failed && ++tries < 100);
            EXPECT(!failed);
            asm volatile("amoadd.w %0, %1, (%2)" : "=r"(old) : "r"(5), "r"(page + 9000) : "memory");
            EXPECT(page[9000] == old + 5);
            _exit(0);
        }
        wait(&status);
        EXPECT(!status && page[0] == seen);
        atomic_fetch_add((_Atomic int *)page, 1);
        EXPECT(page[0] == seen + 1);
    }
    say("%d\n", page[0]);
}
"""
)

CHANGED_MAPPINGS = (
    FAULT_AND_GO_ON
    + r"""
int main(void) {
    catch_info(SIGSEGV, on_fault, 0);
    volatile char *page = mmap(NULL, 3 * 4096, RW, ANYWHERE);
    for (int i = 0; i < 70; i++) {
        page[0] = 'a';
        mprotect((void *)page, 4096, PROT_READ);
        EXPECT(!DONE(page[0] = 'b') && last.si_code == SEGV_ACCERR && page[0] == 'a');
        mprotect((void *)page, 4096, PROT_NONE);
        EXPECT(!DONE(page[0]));
        mprotect((void *)page, 4096, RW);
        EXPECT(DONE(page[0] = 'c') && page[0] == 'c');
        madvise((void *)page, 4096, MADV_DONTNEED);
        EXPECT(page[0] == 0);
        page[0] = 'd';
        mmap((void *)page, 4096, RW, HERE);
        EXPECT(page[0] == 0);
        page[0] = 'e';
        mremap((void *)page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(page + 8192));
        EXPECT(page[8192] == 'e' && !DONE(page[0]) && last.si_code == SEGV_MAPERR);
        munmap((void *)(page + 8192), 4096);
        EXPECT(!DONE(page[8192]) && !DONE(page[8192] = 1));
        mmap((void *)page, 3 * 4096, RW, HERE);
        EXPECT(DONE(page[8192] = 1) && page[0] == 0);
        volatile char *heap = sbrk(4096);
        heap[5] = 1;
        sbrk(-4096);
        EXPECT(!DONE(heap[5]));
        sbrk(4096);
        EXPECT(heap[5] == 0);
        sbrk(-4096);
    }
    say("%d faults\n", faults);
}
"""
)

CHANGED_CODE = (
    FAULT_AND_GO_ON
    + r"""
static unsigned code[1024] __attribute__((aligned(4096))) = {
    0x00000513 /* li a0, 0 */, 0x00008067 /* ret */};
static unsigned called(void *at) { return ((unsigned (*)(void))at)(); }
int main(void) {
    int fd = memfd_create("code", 0), pipes[2];
    pipe(pipes);
    ftruncate(fd, 80 * 4096);
    mprotect(code, sizeof code, RW | PROT_EXEC);
    char *window = mmap(NULL, 4096, PROT_READ, ANYWHERE);
    for (unsigned i = 1; i < 71; i++) {
        unsigned text[] = {0x00000513 | i << 20, 0x00008067};
        EXPECT(called(code) == (i > 1 ? i - 1 + 200 : 0));
        write(pipes[1], text, 4);
        read(pipes[0], code, 4);
        EXPECT(called(code) == i);
        pwrite(fd, text, 8, i * 4096);
        text[0] += 100 << 20;
        pwrite(fd, text, 8, 79 * 4096);
        pread(fd, code, 8, 79 * 4096);
        EXPECT(called(code) == i + 100);
        mmap(window, 4096, PROT_READ | PROT_EXEC, MAP_FIXED | MAP_PRIVATE, fd, i * 4096);
        EXPECT(called(window) == i);
        mmap(window, 4096, PROT_READ | PROT_EXEC, MAP_FIXED | MAP_SHARED, fd, 79 * 4096);
        EXPECT(called(window) == i + 100);
        text[0] += 100 << 20;
        pwrite(fd, text, 8, 79 * 4096);
        EXPECT(called(window) == i + 200);
        struct timespec *time = (void *)code; /* what a call answers, run as code */
        clock_getres(CLOCK_REALTIME, time);
        EXPECT(code[0] == 0 && code[2] == 1);
        *(volatile unsigned *)code = text[0];
        code[1] = text[1];
    }
    say("%u\n", called(code));
}
"""
)

OWN_CODE = (
    FAULT_AND_GO_ON
    + r"""
static unsigned code[3][1024] __attribute__((aligned(4096))) = {
    {0x00000073 /* ecall */, 0x00100513 /* li a0, 1 */, 0x00008067 /* ret */},
    {0, 0x00200513 /* li a0, 2 */, 0x00008067},
};
static long call(long number, void *at, long second, long third, long fourth, long fifth)
{
    register long a0 asm("a0") = (long)at;
    register long a1 asm("a1") = second;
    register long a2 asm("a2") = third;
    register long a3 asm("a3") = fourth;
    register long a4 asm("a4") = fifth;
    register long a5 asm("a5") = 4096;
    register long a7 asm("a7") = number;
    asm volatile("jalr %1" : "+r"(a0) : "r"(code), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5),
                 "r"(a7) : "ra", "memory");
    return a0;
}
int main(void) {
    catch_info(SIGSEGV, on_fault, 0);
    int fd = memfd_create("code", 0);
    write(fd, code, sizeof code);
    for (int i = 0; i < 70; i++) {
        mmap(code, 4096, PROT_READ | PROT_EXEC, MAP_FIXED | MAP_PRIVATE, fd, 0);
        EXPECT(call(SYS_getppid, 0, 0, 0, 0, 0) == 1);
        /* The call takes away the code that it stands in: the next instruction is none. */
        if (i & 1)
            EXPECT(!DONE(call(SYS_munmap, code, 4096, 0, 0, 0)) && last.si_code == SEGV_MAPERR);
        else
            EXPECT(!DONE(call(SYS_mprotect, code, 4096, PROT_READ, 0, 0))
                   && last.si_code == SEGV_ACCERR);
        EXPECT(last.si_addr == (char *)code + 4);
        /* Or it puts other code there. */
        mmap(code, 4096, PROT_READ | PROT_EXEC, MAP_FIXED | MAP_PRIVATE, fd, 0);
        EXPECT(call(SYS_mmap, code, 4096, PROT_READ | PROT_EXEC, MAP_FIXED | MAP_PRIVATE, fd) == 2);
        /* Frames of code come back as data, and as code. */
        unsigned *made = mmap(NULL, 4096, RW | PROT_EXEC, ANYWHERE);
        made[0] = 0x00000513 | i << 20;
        made[1] = 0x00008067;
        EXPECT(((int (*)(void))made)() == i);
        munmap(made, 4096);
    }
    say("%d faults\n", faults);
}
"""
)

FAR_STORES = (
    FAULT_AND_GO_ON
    + r"""
int main(void) {
    catch_info(SIGSEGV, on_fault, 0);
    for (int round = 0; round < 70; round++)
        for (int bit = 30; bit < 64; bit += 3) {
            char *at = (char *)((round & 1 ? -1L << bit : 1L << bit) + round);
            if (DONE(*(volatile char *)at = 1))
                say("%p may be stored to\n", at);
            else if (last.si_addr != at || last.si_code != SEGV_MAPERR)
                say("%p faulted at %p by %d\n", at, last.si_addr, last.si_code);
            long *word = (long *)((long)at & -8);
            if (DONE(__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST)))
                say("%p may be added to\n", word);
            else if (last.si_addr != word)
                say("%p faulted at %p\n", word, last.si_addr);
        }
    say("%d faults\n", faults);
}
"""
)

FORKS = (
    FAULT_AND_GO_ON
    + r"""
static _Atomic int *born;
static char stack[65536] __attribute__((aligned(16)));
static int child(void *argument) { atomic_fetch_add(born, 1); _exit(0); }
static void *body(void *argument) { atomic_fetch_add(born, 1); return NULL; }
int main(void) {
    born = mmap(NULL, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t first = getpid();
    for (int i = 0; i < 5; i++)
        fork();
    atomic_fetch_add(born, 1);
    while (wait(NULL) > 0)
        ;
    if (getpid() != first)
        _exit(0);
    say("%d\n", *born);
    for (int i = 0; i < 70; i++) {
        if (!vfork()) {
            atomic_fetch_add(born, 1);
            if (i % 10 == 0 && !vfork()) { /* a grandchild in the same memory */
                atomic_fetch_add(born, 1);
                _exit(0);
            }
            _exit(0);
        }
        wait(NULL);
    }
    say("%d\n", *born);
    for (int i = 0; i < 20; i++) {
        clone(child, stack + sizeof stack, (i & 1 ? CLONE_VM | CLONE_VFORK : 0) | SIGCHLD, NULL);
        wait(NULL);
    }
    say("%d\n", *born);
    pthread_t threads[20];
    for (int i = 0; i < 20; i++)
        pthread_create(threads + i, NULL, body, NULL);
    for (int i = 0; i < 20; i++)
        pthread_join(threads[i], NULL);
    say("%d\n", *born);
}
"""
)

ANSWERS = {
    "signals to oneself": (SIGNALS_TO_ONESELF, ["350"]),
    "refused stores": (REFUSED_STORES, ["141 faults, 1 1"]),
    "straddling stores": (STRADDLING, ["end"]),
    "fetches": (FETCHES, ["2388 42, 720 faults"]),
    "reservations": (RESERVATIONS, ["10"]),
    "changed mappings": (CHANGED_MAPPINGS, ["420 faults"]),
    "changed code": (CHANGED_CODE, ["270"]),
    "own code": (OWN_CODE, ["70 faults"]),
    "far stores": (FAR_STORES, ["1680 faults"]),
    "forks": (FORKS, ["32", "109", "129", "149"]),
}
"""Each program, with its expected output."""


@pytest.mark.parametrize("deterministic", [False, True], ids=["vector", "loop"])
@pytest.mark.parametrize("name", ANSWERS)
def test_does_a_program_see_what_it_should(name: str, deterministic: bool) -> None:
    source, lines = ANSWERS[name]
    assert output(source, deterministic=deterministic) == lines


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["straddling stores", "reservations", "forks"])
def test_is_it_so_under_every_fork_policy(name: str, policy: str) -> None:
    source, lines = ANSWERS[name]
    assert output(source, deterministic=False, fork_policy=policy) == lines


class EventCounter(Observer):
    """Counts events, and reads each trap while the machine is stopped at it."""

    def __init__(self) -> None:
        self.calls = self.faults = 0
        self.stores: list[tuple[int, int]] = []

    def fault(self, event: Fault) -> None:
        self.faults += 1
        if event.trap is not None and event.trap.cause == Cause.STORE_PAGE_FAULT:
            self.stores.append((event.trap.epc, event.trap.tval))
            assert event.trap.tval & ~4095 == event.resolution.va & ~4095

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        self.calls += 1


@pytest.mark.parametrize("name", [name for name in ANSWERS if name != "forks"])
def test_does_a_run_count_the_same_whether_it_is_traced_or_not(name: str) -> None:
    """All of the summary is compared: faults by outcome, calls, frames."""
    program, counter = compiled(ANSWERS[name][0]), EventCounter()
    machine = Machine(Options(check=True, timeout=60, environment={"PATH": "/none"}))
    untraced, traced = machine.run([program]), machine.run([program], observers=[counter])
    assert untraced == traced
    assert counter.calls == traced.summary["system_calls"]
    assert 0 < counter.faults <= sum(traced.summary["faults"].values()), "the loader's are not seen"
    assert len(counter.stores) > 5


def test_has_a_deterministic_machine_no_vector() -> None:
    for deterministic in (True, False):
        session = Session(Options(deterministic=deterministic), [str(compiled("return 7;"))])
        assert session.run() == 7
        assert (session.kernel.hart.vector is None) is deterministic


# Timers, and stops of a program.


@pytest.mark.parametrize(
    "start",
    [
        "struct itimerval t = {.it_value = {0, 30000}}; setitimer(ITIMER_REAL, &t, NULL);",
        "struct itimerval t = {.it_value = {0, 30000}}; setitimer(ITIMER_PROF, &t, NULL);",
        "alarm(1);",
    ],
    ids=["ITIMER_REAL", "ITIMER_PROF", "alarm"],
)
@pytest.mark.parametrize("loop", ["getppid();", "page = touch(page);"], ids=["calls", "touches"])
def test_does_a_timer_reach_a_loop(start: str, loop: str) -> None:
    lines = output(
        r"""
static volatile int rung;
static void on(int signo) { rung = signo; }
static char *pages;
static char *touch(char *page) {
    *(volatile char *)page = 1;
    if ((page += 4096) < pages + 32 * 4096)
        return page;
    madvise(pages, 32 * 4096, MADV_DONTNEED);
    return pages;
}
int main(void) {
    pages = mmap(NULL, 32 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *page = pages;
    catch(SIGALRM, on, 0);
    catch(SIGPROF, on, 0);
"""
        f"    {start}\n    while (!rung)\n        {loop}\n"
        '    say("rung\\n");\n}\n',
        deterministic=False,
        check=False,
        timeout=20,
    )
    assert lines == ["rung"]


@pytest.mark.parametrize(
    "loop",
    [
        "for (;;) getppid();",
        "for (;;) kill(getpid(), SIGCHLD);",
        "for (;;) sched_yield();",
        r"""
char *pages = mmap(NULL, 1L << 29, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
for (;;)
    for (long i = 0; i < 1L << 29; i += 4096)
        pages[i]++;
""",
    ],
    ids=["getppid", "kill", "sched_yield", "touches"],
)
def test_does_a_time_limit_end_a_loop(loop: str) -> None:
    result = Machine(timeout=0.4).run([compiled(loop)])
    assert (result.status, result.summary["frames_leaked"]) == (124, 0)


# No frame is left.

TOUCHES = r"""
    static volatile char pages[40][4096] __attribute__((aligned(4096)));
    pages[0][0] = 1;
    for (int i = 0; i < 40; i++)
        pages[i][7]++;
    return pages[3][7] - 1;
"""


def test_is_a_missing_frame_at_a_store_one_failure_and_one_kill() -> None:
    program = compiled(TOUCHES)
    right = Machine(check=True).run([program], record=False)
    assert right.status == 0
    total = right.summary["frames_allocated"]
    for number in range(total - 30, total - 4):
        result = Machine(check=True, fail_allocation=number).run([program], record=False)
        assert (result.status, result.summary["frames_leaked"]) == (128 + 9, 0), number
        assert result.summary["faults"]["out_of_memory"] == 1
        assert result.summary["frames_allocated"] == number, "the machine went on"
        assert len(result.notes) == 1 and f"allocation {number} was made" in result.notes[0]


@pytest.mark.parametrize(
    ("where", "why"), [("page + 5", "does not allow"), ("0x123", "nothing is")]
)
def test_is_a_deadly_store_reported_with_its_address(where: str, why: str) -> None:
    result = run(
        "char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
        f'say("%#lx\\n", (long)({where})); *(volatile char *)({where}) = 1;',
        deterministic=False,
    )
    assert result.status == 128 + 11
    assert f"store to {result.stdout.decode().strip()} at pc 0x" in result.notes[0]
    assert why in result.notes[0]

/* Functions of the random programs of generator.py. Each call does one thing to memory and prints
 * its result in a line that starts with the call's number.
 *
 * A process prints only when it has the turn; until then its lines wait in its own buffer. The turn
 * goes from parent to child and back through pipes, so the output doesn't depend on scheduling,
 * though what the processes do to private memory runs side by side. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 6, ARENAS = 5, GLOBAL = ARENAS, HEAP, STACK, SLOTS };
enum { ANONYMOUS, SHARED, FILE_PRIVATE, FILE_SHARED };

typedef unsigned char byte;

static byte global[PAGES * PAGE] __attribute__((aligned(4096)));
static byte *slots[SLOTS];
static int file;
static const char *name = "0";
static char report[1 << 16];
static size_t length;

/* ---- printing */

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(report + length, sizeof report - length, format, arguments);
    va_end(arguments);
    if (length + 256 > sizeof report)
        abort();
}

static void flush(void)
{
    for (size_t done = 0; done < length;)
        done += write(1, report + done, length - done);
    length = 0;
}

static void begin(int number, const char *what) { say("%d [%s] %s", number, name, what); }
static void end(long result) { say(result < 0 ? " errno %d\n" : " ok\n", errno); }

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 29;
}

/* ---- faults */

static sigjmp_buf escape;
static volatile int trap, trap_code;
static byte *volatile trap_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    trap = number;
    trap_code = info->si_code;
    trap_address = info->si_addr;
    siglongjmp(escape, 1);
}

#define GUARDED(statement) /* whether it faulted */ \
    (sigsetjmp(escape, 1) ? 1 : ({ statement; 0; }))

static void say_fault(int slot)
{
    say(" signal %d code %d at %ld\n", trap, trap_code, (long)(trap_address - slots[slot]));
}

/* ---- the program's own reads and writes */

static byte *at(int slot, int page, int offset) { return slots[slot] + page * PAGE + offset; }

static void fill(int number, int slot, int page, int count, int step, unsigned seed)
{
    volatile byte *from = at(slot, page, 0);
    begin(number, "fill");
    if (GUARDED(for (int i = seed % step; i < count * PAGE; i += step) from[i] = seed * (i + 7) >> 3))
        say_fault(slot);
    else
        say(" ok\n");
}

static void look(int number, int slot)
{
    begin(number, "look");
    for (int page = 0; page < PAGES; page++) {
        volatile uint64_t *from = (uint64_t *)at(slot, page, 0);
        uint64_t hash = page;
        if (GUARDED(for (int i = 0; i < PAGE / 8; i++) hash = mix(hash, from[i])))
            say(" %d.%d", trap, trap_code);
        else
            say(" %08x", (unsigned)(hash >> 32));
    }
    say("\n");
}

static void add(int number, int slot, int page, int offset, uint64_t value)
{
    uint64_t before = 0;
    begin(number, "add");
    uint64_t *word = (uint64_t *)at(slot, page, offset);
    if (GUARDED(before = __atomic_fetch_add(word, value, __ATOMIC_SEQ_CST)))
        say_fault(slot);
    else
        say(" %lx\n", before);
}

static unsigned replace(unsigned *word, unsigned value)
{
    unsigned seen = *word;
    __atomic_compare_exchange_n(word, &seen, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return seen;
}

static void exchange(int number, int slot, int page, int offset, unsigned value)
{
    unsigned before = 0;
    begin(number, "exchange");
    if (GUARDED(before = replace((unsigned *)at(slot, page, offset), value)))
        say_fault(slot);
    else
        say(" %x\n", before);
}

/* One store, into two pages when offset is near the end. */
static void wide(int slot, int page, int offset, uint64_t value)
{
    asm volatile("sd %0, (%1)" ::"r"(value), "r"(at(slot, page, offset)) : "memory");
}

__attribute__((noinline)) static uint64_t deep(int depth, unsigned seed)
{
    volatile uint64_t frame[100];
    for (int i = 0; i < 100; i += 9) frame[i] = seed + depth * i;
    uint64_t below = depth ? deep(depth - 1, seed) : 1;
    return mix(below, frame[seed % 11 * 9]);
}

static void recurse(int number, int depth, unsigned seed)
{
    begin(number, "recurse");
    say(" %lx\n", deep(depth, seed));
}

static void grow_heap(int number, int extra)
{
    static size_t size = PAGES * PAGE;
    begin(number, "grow");
    slots[HEAP] = realloc(slots[HEAP], size + extra);
    memset(slots[HEAP] + size, 0x5a, extra);
    size += extra;
    say(" ok\n");
}

/* ---- the kernel's reads and writes */

static void read_file(int number, int slot, int page, int offset, int count, int from)
{
    begin(number, "read file");
    long got = pread(file, at(slot, page, offset), count, from);
    got < 0 ? end(got) : (void)say(" %ld\n", got);
}

static void read_pipe(int number, int slot, int page, int offset, int count, unsigned seed)
{
    static byte text[2 * PAGE];
    int ends[2];
    for (int i = 0; i < count; i++) text[i] = seed + i * i;
    begin(number, "read pipe");
    if (pipe(ends) || write(ends[1], text, count) != count) abort();
    long got = read(ends[0], at(slot, page, offset), count);
    got < 0 ? end(got) : (void)say(" %ld\n", got);
    close(ends[0]), close(ends[1]);
}

static void write_pipe(int number, int slot, int page, int offset, int count)
{
    static byte text[2 * PAGE];
    int ends[2];
    begin(number, "write pipe");
    if (pipe(ends)) abort();
    long put = write(ends[1], at(slot, page, offset), count);
    if (put < 0) {
        end(put);
    } else {
        uint64_t hash = 0;
        long got = read(ends[0], text, put);
        for (int i = 0; i < got; i++) hash = mix(hash, text[i]);
        say(" %ld %08x\n", put, (unsigned)(hash >> 32));
    }
    close(ends[0]), close(ends[1]);
}

static void pipe_into(int number, int slot, int page, int offset)
{
    int *ends = (int *)at(slot, page, offset);
    begin(number, "pipe");
    end(pipe(ends));
    close(ends[0]), close(ends[1]);
    ends[0] = ends[1] = 0; /* the numbers may differ elsewhere */
}

/* ---- the file */

static void write_file(int number, int from, int count, unsigned seed)
{
    static byte text[2 * PAGE];
    for (int i = 0; i < count; i++) text[i] = seed + i / 3;
    begin(number, "write file");
    end(pwrite(file, text, count, from));
}

static void truncate_file(int number, int size)
{
    begin(number, "truncate");
    end(ftruncate(file, size));
}

/* ---- mappings */

static void map(int number, int slot, int page, int count, int prot, int kind, int first)
{
    static const int flags[] = {MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS,
                                MAP_PRIVATE, MAP_SHARED};
    begin(number, "map");
    end((long)mmap(at(slot, page, 0), count * PAGE, prot, MAP_FIXED | flags[kind],
                   kind >= FILE_PRIVATE ? file : -1, first * PAGE) == -1 ? -1 : 0);
}

static void unmap(int number, int slot, int page, int count)
{
    begin(number, "unmap");
    end(munmap(at(slot, page, 0), count * PAGE));
}

static void protect(int number, int slot, int page, int count, int prot)
{
    begin(number, "protect");
    end(mprotect(at(slot, page, 0), count * PAGE, prot));
}

static void discard(int number, int slot, int page, int count)
{
    begin(number, "discard");
    end(madvise(at(slot, page, 0), count * PAGE, MADV_DONTNEED));
}

static void move(int number, int slot, int page, int count, int to, int to_page, int to_count)
{
    begin(number, "move");
    end((long)mremap(at(slot, page, 0), count * PAGE, to_count * PAGE,
                     MREMAP_MAYMOVE | MREMAP_FIXED, at(to, to_page, 0)) == -1 ? -1 : 0);
}

/* ---- processes */

#include "turns.h"

static void start(byte *stack)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    byte *arena = mmap(0, ARENAS * 2 * PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int slot = 0; slot < ARENAS; slot++) slots[slot] = arena + slot * 2 * PAGES * PAGE;
    slots[GLOBAL] = global;
    slots[HEAP] = malloc(PAGES * PAGE);
    slots[STACK] = stack;
    memset(slots[HEAP], 0x48, PAGES * PAGE);
    memset(slots[STACK], 0x53, PAGES * PAGE);
    char path[] = "/tmp/programXXXXXX";
    file = mkstemp(path);
    if (file < 0 || unlink(path) || arena == MAP_FAILED) abort();
}

"""Is the trace of the writer process that of a builder in this process, for any kind of stack?"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest

from emu.cli.main import main
from emu.observe.formats.jsonl import read_trace
from emu.observe.model import records
from emu.observe.model.records import AnyRecord, Fault
from emu.observe.record import thread_position
from tests.emu.commands import program
from tests.emu.observe.support.recorded import HANDLES

STACKS = r"""
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
char shared[64][4096] __attribute__((aligned(4096)));
__attribute__((noipa)) void store(int page) { shared[page][7] = 1; }
__attribute__((noipa)) int large(int size)
{
    char used[size];
    memset(used, 1, size);
    store(size >> 12);
    return used[size - 1];
}
__attribute__((noipa)) int deep(int n);
int (*volatile deeper)(int) = deep; /* keeps the compiler from making a loop */
int deep(int n) { char pad[900]; memset(pad, n, 900);
    return n ? deeper(n - 1) + pad[3] : (store(40), pad[5]); }
void handler(int signo) { store(41); shared[41][8]++; }
void *thread(void *unused) { deep(3); large(8192); return unused; }
int main(void)
{
    pthread_t other;
    memset(shared, 2, sizeof shared);
    signal(SIGUSR1, handler);
    if (!fork()) {
        large(100); large(3000); large(9000); large(70000);
        deep(30);
        raise(SIGUSR1);
        pthread_create(&other, 0, thread, 0);
        pthread_join(other, 0);
        _exit(0);
    }
    wait(0);
    return 7;
}
"""
JIT = r"""
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static char pages[40 * 4096];
/* addi sp,sp,-16; sd ra,8(sp); jal 1f; ld ra,8(sp); addi sp,sp,16; ret; 1: sb a0,0(a0); ret */
static const unsigned code[] = {0xff010113, 0x00113423, 0x010000ef, 0x00813083,
                                0x01010113, 0x00008067, 0x00a50023, 0x00008067};
int main(void)
{
    void *made = mmap(0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void (*store)(char *) = made;
    memcpy(made, code, sizeof code);
    __asm__ volatile("fence.i");
    for (int at = 0; at < 10; at++)
        store(pages + at * 4096);
    if (!fork()) {
        for (int at = 0; at < 20; at++)
            store(pages + at * 4096);
        _exit(0);
    }
    return 7;
}
"""
OTHER_STACKS = r"""
#define _GNU_SOURCE
#include <alloca.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define AUTODISARM (1U << 31)
static char pages[200 * 4096];
static int count;
static char *made(void)
{
    char *stack = mmap(0, 16384, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(stack, 4096, 0);
    mprotect(stack + 12288, 4096, 0);
    memset(stack + 4096, 1, 8192);
    return stack + 4096;
}
__attribute__((noinline)) void touch(void) { pages[count++ * 4096]++; }
static void handler(int signo) { touch(); touch(); }
__attribute__((noinline)) static void raiser(void) { touch(); raise(SIGUSR1); touch(); }
__attribute__((noinline)) static void switched(char *other, int size)
{
    volatile char *x = alloca(size);
    x[0] = 1;
    __asm__ volatile("mv s1, sp; mv sp, %0; jal ra, touch; mv sp, s1" ::"r"(other + 8128)
                     : "s1", "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a0", "a1", "a2",
                       "a3", "a4", "a5", "a6", "a7", "memory");
}
__attribute__((noinline)) static void deeper(int again)
{
    char used[6000];
    stack_t inside = {.ss_sp = used, .ss_size = sizeof used};
    memset(used, 1, sizeof used);
    touch();
    if (again) {
        sigaltstack(&inside, 0);
        deeper(0);
        raiser();
    }
    touch();
}
int main(void)
{
    stack_t other = {.ss_sp = made(), .ss_size = 8192, .ss_flags = AUTODISARM};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&other, 0);
    sigaction(SIGUSR1, &action, 0);
    raiser();
    if (!fork()) {
        raiser();
        _exit(0);
    }
    switched(made(), 30);
    deeper(1);
    mprotect((char *)((unsigned long)__builtin_frame_address(0) & -4096), 4096, 7);
    raiser();
    return 7;
}
"""
GUESTS = {"stacks": STACKS, "handles": HANDLES, "jit": JIT, "other_stacks": OTHER_STACKS}


def written(path: Path, guest: Path, *options: str) -> bytes:
    assert main(["trace", "--deterministic", *options, "-o", str(path), str(guest)]) in (0, 7)
    return path.read_bytes()


@pytest.mark.parametrize("options", [(), ("--backtrace", "3"), ("--heap",)], ids=str)
@pytest.mark.parametrize("name", GUESTS)
def test_a_trace_is_the_same_from_the_writer_process(
    name: str, options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = program(f"recorded_{name}", GUESTS[name])
    beside = written(tmp_path / "beside.jsonl", guest, *options)

    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    assert written(tmp_path / "here.jsonl", guest, *options) == beside.replace(b"beside", b"here")


@pytest.mark.parametrize("name", GUESTS)
def test_callers_from_a_copied_stack_equal_those_from_live_memory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = program(f"recorded_{name}", GUESTS[name])
    copied = read(written(tmp_path / "trace.jsonl", guest))
    monkeypatch.setattr(thread_position, "stack_parts", lambda space, sp: None)
    assert read(written(tmp_path / "trace.jsonl", guest)) == copied
    assert any(isinstance(each, Fault) and len(each.backtrace) > 3 for each in copied)


def test_code_in_no_file_has_callers(tmp_path: Path) -> None:
    found = read(written(tmp_path / "trace.jsonl", program("recorded_jit", JIT)))
    faults = [each for each in found if isinstance(each, Fault)]
    by_jit = [each for each in faults if each.place.pc and not each.place.image]
    chains = [each.backtrace for each in by_jit if each.access == "store"]
    assert len(chains) >= 20 and all(chain and not chain[0].function for chain in chains)


def read(content: bytes) -> list[AnyRecord]:
    return list(read_trace(BytesIO(content)))


def test_callers_are_found_below_a_large_array_and_in_deep_calls(tmp_path: Path) -> None:
    found = read(written(tmp_path / "trace.jsonl", program("recorded_stacks", STACKS)))
    faults = [each for each in found if isinstance(each, Fault) and each.outcome == "copied"]
    stores = [each for each in faults if each.place.function == "store"]
    chains = {each.page: [caller.function for caller in each.backtrace] for each in stores}
    by_page = [chains[page] for page in sorted(chains)]
    in_main = [chain[: chain.index("main") + 1] for chain in by_page if "main" in chain]
    assert in_main.count(["large", "main"]) >= 3, "arrays of 100 to 70,000 bytes"
    assert ["deep"] * 16 in by_page, "as many callers as are recorded"
    assert any(chain[0] == "handler" for chain in in_main)


def test_a_program_without_stack_is_traced(tmp_path: Path) -> None:
    """sp is where nothing is mapped, or no multiple of 8."""
    guest = program(
        "recorded_no_stack",
        r"""
        char page[4096] __attribute__((aligned(4096)));
        int main(void) {
            __asm__ volatile("mv t0, sp; li sp, %0; sb zero, 0(%1); mv sp, t0"
                             :: "i"(0x1003), "r"(page) : "t0", "memory");
            __asm__ volatile("mv t0, sp; addi sp, sp, -5; sb zero, 0(%0); mv sp, t0"
                             :: "r"(page) : "t0", "memory");
            return 7;
        }
        """,
    )
    found = read(written(tmp_path / "trace.jsonl", guest))
    assert isinstance(found[-1], records.End)
    assert any(isinstance(each, Fault) and each.place.function == "main" for each in found)


def test_a_jump_to_what_is_not_code_names_the_range(tmp_path: Path) -> None:
    guest = program(
        "recorded_jump", "int main(void) { char at[64] = {19}; ((void (*)(void))(void *)at)(); }"
    )
    path = tmp_path / "trace.jsonl"
    assert main(["trace", "-o", str(path), str(guest)]) == 139
    last = [each for each in read(path.read_bytes()) if isinstance(each, Fault)][-1]
    assert (last.outcome, last.place.image) == ("segv_accerr", "[stack]")

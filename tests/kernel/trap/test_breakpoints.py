"""Is an instruction reported to an observer once each time that a thread is about to run it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine.registers import A0
from emu.observe.symbols.program_symbols import ProgramSymbols
from kernel.kernel import Kernel
from kernel.process.observer import Observer
from kernel.process.observers import Observers
from kernel.process.process import Process, Thread
from tests.emu.commands import machine, observed
from tests.kernel.syscalls.guests import compiled

ways = pytest.mark.parametrize("deterministic", [False, True], ids=["freely", "deterministic"])


class Hits(Observer):
    """Has breakpoints at symbols of the first program; keeps pid, symbol and a0 of each hit."""

    def __init__(self, *symbols: str) -> None:
        self.kernel: Kernel
        self.names = symbols
        self.where: dict[int, str] = {}
        self.hits: list[tuple[int, str, int]] = []
        self.exits: list[tuple[int, bool, bool]] = []

    def started(self, process: Process) -> None:
        symbols = ProgramSymbols(process)
        for name in self.names:
            self.where[symbols.address(name, process)] = name
        for at in self.where:
            self.kernel.breakpoints.add(at)

    def reached(self, thread: Thread, pc: int) -> None:
        assert self.kernel.current is thread
        self.hits.append((thread.process.pid, self.where[pc], self.kernel.hart.read(A0)))

    def of(self, kernel: Kernel) -> Hits:
        self.kernel = kernel
        return self

    def leaving(self, process: Process) -> None:
        self.exits.append((process.pid, process.alive, process.space.resident_pages() > 0))


def hits(source: str | Path, *symbols: str, deterministic: bool = False) -> Hits:
    observer = Hits(*symbols)
    program = compiled(source) if isinstance(source, str) else source
    result = observed(program, observer.of, deterministic=deterministic, timeout=60)
    assert (result.status, result.notes) == (0, []), result.stderr
    assert result.summary["frames_leaked"] == 0
    return observer


LOOP = r"""
__attribute__((noinline)) long step(long n) { asm volatile("" : "+r"(n)); return n; }
int main(void) { for (long n = 0; n < 70; n++) step(n); return 0; }
"""


@ways
def test_a_function_is_reached_as_often_as_it_is_called(deterministic: bool) -> None:
    observer = hits(LOOP, "step", deterministic=deterministic)
    assert observer.hits == [(2, "step", n) for n in range(70)]


@ways
def test_the_first_instruction_of_all(deterministic: bool) -> None:
    observer = hits("return 0;", "_start", "main", deterministic=deterministic)
    assert [name for _, name, _ in observer.hits] == ["_start", "main"]


FORKED = r"""
__attribute__((noinline)) void both(long n) { asm volatile("" : "+r"(n)); }
__attribute__((noinline)) void child(long n) { asm volatile("" : "+r"(n)); }
int main(void) {
    for (int i = 0; i < 3; i++) {
        if (!fork()) { both(i); child(i); _exit(0); }
        wait(NULL);
        both(10 + i);
    }
    return 0;
}
"""


@ways
def test_in_a_child_alone_and_in_both(deterministic: bool) -> None:
    observer = hits(FORKED, "child", deterministic=deterministic)
    assert observer.hits == [(3, "child", 0), (4, "child", 1), (5, "child", 2)]
    observer = hits(FORKED, "both", deterministic=deterministic)
    assert [(pid, a0) for pid, _, a0 in observer.hits] == [
        (3, 0), (2, 10), (4, 1), (2, 11), (5, 2), (2, 12)
    ]  # fmt: skip
    assert observer.exits == [(pid, False, True) for pid in (3, 4, 5, 2)]


PLACES = r"""
asm(".text\n.globl at_store, at_call, behind_call, store_to, call, caller\n"
    "store_to: nop\n nop\nat_store: sd a1, 0(a0)\n ret\n"
    "call: mv a7, a0\n li a0, 1\nat_call: ecall\nbehind_call: addi a0, a0, 1\n ret\n");
void store_to(void *at, long value);
long call(long number);
"""


@ways
def test_an_instruction_that_faults_first_counts_once(deterministic: bool) -> None:
    source = (
        PLACES
        + r"""
    int main(void) {
        char *m = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int i = 0; i < 16; i++) store_to(m + i * 2048, i);
        return m[2048] != 1;
    }
    """
    )
    assert len(hits(source, "at_store", deterministic=deterministic).hits) == 16


@ways
def test_an_ecall_and_what_follows_it(deterministic: bool) -> None:
    source = PLACES + "int main(void) { return call(SYS_getppid) != 2 || call(SYS_getpid) != 3; }"
    observer = hits(source, "at_call", "behind_call", deterministic=deterministic)
    assert observer.hits == [
        (2, name, n) for a in (1, 2) for name, n in (("at_call", 1), ("behind_call", a))
    ]
    observer = hits(source, "behind_call", deterministic=deterministic)
    assert len(observer.hits) == 2, "with and without a breakpoint at the call itself"


@ways
def test_behind_a_call_that_forks_and_one_that_waits(deterministic: bool) -> None:
    source = (
        PLACES
        + r"""
    int main(void) {
        long pid = call(SYS_clone);
        if (pid == 1) _exit(0);
        wait(NULL);
        return call(SYS_sched_yield) != 1;
    }
    """.replace("SYS_clone", "SYS_clone")
    )
    source = source.replace("li a0, 1", "li a0, 17\\n li a1, 0\\n li a2, 0\\n li a3, 0\\n li a4, 0")
    observer = hits(source, "behind_call", deterministic=deterministic)
    assert sorted(hit[::2] for hit in observer.hits) == [(2, 0), (2, 3), (3, 0)]


@ways
def test_a_signal_handler_and_where_a_thread_begins(deterministic: bool) -> None:
    source = r"""
    __attribute__((noinline)) void on(int signo) { asm volatile("" : "+r"(signo)); }
    __attribute__((noinline)) void *begin(void *at) { asm volatile("" : "+r"(at)); return at; }
    int main(void) {
        catch(SIGUSR1, on, 0);
        raise(SIGUSR1);
        raise(SIGUSR1);
        pthread_t threads[3];
        for (long i = 0; i < 3; i++) pthread_create(threads + i, NULL, begin, (void *)i);
        for (long i = 0; i < 3; i++) pthread_join(threads[i], NULL);
        return 0;
    }
    """
    observer = hits(source, "on", "begin", deterministic=deterministic)
    assert sorted(hit[1:] for hit in observer.hits) == [
        ("begin", 0), ("begin", 1), ("begin", 2), ("on", 10), ("on", 10)
    ]  # fmt: skip


@ways
def test_an_exec_of_itself_comes_to_its_start_again(deterministic: bool) -> None:
    source = r"""
    if (argc == 1) {
        char *words[] = {"again", "and", NULL}, *none[] = {NULL};
        execve("/proc/self/exe", words, none);
    }
    return 0;
    """
    observer = hits(source, "_start", "main", deterministic=deterministic)
    assert [hit[1:] for hit in observer.hits if hit[1] == "main"] == [("main", 1), ("main", 2)]
    assert [name for _, name, _ in observer.hits] == ["_start", "main"] * 2
    assert observer.exits == [(2, True, True), (2, False, True)]


def test_a_run_with_breakpoints_is_the_run_without() -> None:
    source = FORKED.replace("both(i)", 'say("%d\\n", i)')
    plain = machine(deterministic=True).run([compiled(source)])
    observer = Hits("both", "main")
    watched = observed(
        compiled(source), lambda kernel: Observers([observer.of(kernel)]), deterministic=True
    )
    assert len(observer.hits) == 4
    assert (watched.stdout, watched.status) == (plain.stdout, plain.status)
    assert watched.summary["faults"] == plain.summary["faults"]

"""Are the counts exact, do the records agree with each other, and are two runs the same?"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from emu.observe.model.records import Clear, CopyEnd, Exec, Exit, Fault, Fork, Map, Page, Signal
from emu.observe.model.sink import RecordingOptions
from guest.manifest import BY_NAME, GUESTS
from kernel.mm.forking.fork import POLICIES
from tests.emu.commands import EMU, environment, program
from tests.emu.observe.support.ledger import (
    contradictions,
    copies_without_one_end,
    counts,
    of_kind,
    sums,
)
from tests.emu.observe.support.recorded import Recorded, record
from toolchain.build import build
from toolchain.variant import Variant

BARE = [guest.name for guest in GUESTS if guest.bare]
CHOICE = ["demo_cow", "threads", "vfork", "mremap", "fork_exec", "madvise", "truncate", "signals"]
CHOICE += ["fork_advice", "protect", "segv", "bad_pointers", "self_modify", "brk"]


def guest(name: str, variant: Variant = Variant.STATIC) -> Path:
    known = BY_NAME[name]
    return build([known.source], variant=variant, flags=known.flags)


@cache
def run(name: str, policy: str, variant: Variant = Variant.STATIC) -> Recorded:
    return record([guest(name, variant)], fork_policy=policy, deterministic=True)


def assert_exact(recorded: Recorded) -> None:
    assert sums(recorded.records) == counts(recorded)
    assert copies_without_one_end(recorded.records) == []
    wrong = {f.seq: contradictions(f) for f in of_kind(recorded.records, Fault)}
    assert {seq: what for seq, what in wrong.items() if what} == {}
    assert [each.seq for each in recorded.records] == list(range(len(recorded.records)))
    times = [each.time for each in recorded.records]
    assert times == sorted(times)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", [*BARE, *CHOICE])
def test_the_events_add_up_to_the_kernels_own_counts(name: str, policy: str) -> None:
    assert_exact(run(name, policy))


@pytest.mark.parametrize("name", ["threads", "fork_exec", "truncate"])
def test_so_they_do_with_shared_libraries(name: str) -> None:
    assert_exact(run(name, "cow", Variant.DYNAMIC))


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
@pytest.mark.parametrize("name", BARE)
def test_the_trace_equals_the_paper(name: str, policy: str) -> None:
    total = BY_NAME[name].total
    assert total is not None
    outcomes = Counter(fault.outcome for fault in of_kind(run(name, policy).records, Fault))
    assert (outcomes["copied"], outcomes["reused"]) == (total.copied, total.reused)


PAPER = r"""
#include <sys/syscall.h>
static char pages[6][4096] __attribute__((aligned(4096)));
static long call(long number, long a, long b, long c, long d)
{
    register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d, a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a7) : "memory");
    return a0;
}
void _start(void)
{
    volatile char *first = pages[0];
    for (int page = 0; page < 4; page++)
        first[page * 4096] = 1;                     /* four of zeroes */
    (void)first[4 * 4096];                          /* the zero page */
    if (!call(SYS_clone, 17, 0, 0, 0)) {
        first[0] = 2;                               /* copied */
        first[1 * 4096] = 2;                        /* copied */
        first[1 * 4096 + 8] = 3;                    /* nothing: it is its own now */
        first[4 * 4096] = 2;                        /* of zeroes: the zero page is nobody's */
        first[5 * 4096] = 2;                        /* of zeroes */
        call(SYS_exit, 0, 0, 0, 0);
    }
    call(SYS_wait4, -1, 0, 0, 0);
    first[0] = 4;                                   /* reused */
    first[2 * 4096] = 4;                            /* reused */
    call(SYS_exit, 0, 0, 0, 0);
}
"""


def test_a_program_of_which_every_fault_is_known() -> None:
    flags = ["-nostdlib", "-O1", "-fno-stack-protector"]
    source = program("paper_source", "int main(void) { return 0; }").parent / "paper.c"
    source.write_text(PAPER)
    recorded = record([build([source], flags=flags)], deterministic=True)
    in_pages = [
        (fault.pid, fault.page, fault.outcome, fault.count_before, fault.count_after)
        for fault in of_kind(recorded.records, Fault)
        if fault.vma is not None and not fault.call and fault.access != "fetch"
    ]
    base = min(page for _, page, outcome, *_ in in_pages if outcome == "zero_filled")
    found = [(pid, (page - base) >> 12, *rest) for pid, page, *rest in in_pages]
    parent = [(2, page, "zero_filled", 0, 1) for page in range(4)]
    assert found[:4] == parent
    pid, page, outcome, before, _ = found[4]
    assert (pid, page, outcome, before) == (2, 4, "zero_shared", 0)
    child = [(3, 0, "copied", 2, 1), (3, 1, "copied", 2, 1)]
    assert found[5:7] == child
    assert [each[:3] for each in found[7:9]] == [(3, 4, "zero_filled"), (3, 5, "zero_filled")]
    assert found[9:] == [(2, 0, "reused", 1, 1), (2, 2, "reused", 1, 1)]


@pytest.mark.parametrize("policy", POLICIES)
def test_where_memory_runs_out(policy: str) -> None:
    recorded = record([guest("oom")], fork_policy=policy, deterministic=True, memory=2 << 20)
    assert recorded.summary["faults"]["out_of_memory"]
    assert_exact(recorded)


@pytest.mark.parametrize("policy", POLICIES)
def test_are_the_counts_exact_when_any_allocation_fails(policy: str) -> None:
    allocations = int(run("demo_cow", policy).summary["frames_allocated"])
    for number in range(30, allocations + 1, 3):
        path = guest("demo_cow")
        options: dict[str, Any] = {
            "fork_policy": policy,
            "deterministic": True,
            "fail_allocation": number,
        }
        assert_exact(record([path], **options))


DETERMINISTIC = [("truncate", "shared-tables"), ("threads", "cow"), ("fork_exec", "eager")]


@pytest.mark.parametrize("name, policy", DETERMINISTIC)
def test_two_deterministic_runs_give_the_same_bytes(name: str, policy: str, tmp_path: Path) -> None:
    runs = []
    for seed in ("1", "2"):
        files = [tmp_path / f"trace{suffix}" for suffix in (".jsonl", ".folded", ".perfetto-trace")]
        outputs = [word for file in files for word in ("-o", str(file))]
        options = ["--deterministic", "--calls", "--fork-policy", policy]
        command = [*EMU, "trace", *options, *outputs, str(guest(name, Variant.DYNAMIC))]
        environ = {**environment(), "PYTHONHASHSEED": seed}
        done = subprocess.run(command, env=environ, capture_output=True, check=True)
        runs.append([done.stdout, *(file.read_bytes() for file in files)])
    assert runs[0] == runs[1]
    assert all(len(data) > 100 for data in runs[0][1:])
    assert b'"stack":' in runs[0][1]


def test_processes_begin_and_end_in_the_trace() -> None:
    records = run("fork_exec", "cow").records
    first = of_kind(records, Exec)[0].pid
    pids = {first, *(fork.child for fork in of_kind(records, Fork))}
    ended = [end.pid for end in of_kind(records, Exit)]
    assert sorted(ended) == sorted(pids)
    last = {each.pid: each.seq for each in of_kind(records, Fault)}
    assert all(end.seq > last.get(end.pid, 0) for end in of_kind(records, Exit))


SIGNAL = r"""
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static char stack[1 << 16] __attribute__((aligned(4096)));
static void handler(int signo) { _exit(signo); }
__attribute__((noipa)) static void stop(volatile int *where) { *where = 1; }
int main(void)
{
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &action, NULL);
    getppid();
    stop((int *)8);
    return 0;
}
"""


def test_a_signals_frame_is_the_fault_of_what_it_interrupts() -> None:
    records = record([program("signal_frame", SIGNAL)], deterministic=True).records
    (signal,) = of_kind(records, Signal)
    before = [fault for fault in of_kind(records, Fault) if fault.seq < signal.seq][-1]
    after = next(fault for fault in of_kind(records, Fault) if fault.seq > signal.seq)
    assert before.outcome == "segv_maperr" and before.place.function == "stop"
    assert (after.outcome, after.instruction, after.call) == ("zero_filled", "", "")
    assert after.place == before.place
    assert [place.function for place in after.backtrace][:1] == ["main"]
    assert os.fspath(after.place.file).endswith("signal_frame.c")


STOPPED = r"""
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    int child = fork(), status;
    while (!child)
        raise(SIGTSTP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGKILL);
    return waitpid(child, &status, 0) != child;
}
"""


def test_a_signal_that_stops_a_process_is_reported_as_one_that_ends_it_is() -> None:
    found = of_kind(record([program("stopped", STOPPED)]).records, Signal)
    of_child = [signal.signal for signal in found if signal.pid == 3]
    assert of_child == ["SIGTSTP", "SIGKILL"]


DONT_FORK = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    char *pages = mmap(0, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(pages + 4096, 4096, MADV_DONTFORK);
    madvise(pages + 3 * 4096, 2 * 4096, 18 /* MADV_WIPEONFORK */);
    madvise(pages + 4 * 4096, 4096, MADV_DONTFORK);
    printf("%lx\n", (long)pages);
    fflush(stdout);
    if (!fork())
        _exit(0);
    madvise(pages, 8 * 4096, MADV_DOFORK);
    if (!vfork())
        _exit(0);
    return wait(0) < 0 || wait(0) < 0;
}
"""


@pytest.mark.parametrize("policy", POLICIES)
def test_a_fork_record_has_what_it_keeps_back(policy: str) -> None:
    recorded = record([program("kept_back", DONT_FORK)], fork_policy=policy)
    base = int(recorded.output, 16)
    first, borrowed = of_kind(recorded.records, Fork)
    excluded = [
        [((each.start - base) >> 12, (each.end - base) >> 12) for each in ranges]
        for ranges in (first.left_out, first.wiped)
    ]
    assert excluded == [[(1, 2), (4, 5)], [(3, 4)]]
    assert borrowed.shares_memory and not borrowed.left_out and not borrowed.wiped


EXECS = r"""
#include <unistd.h>
static const char far[8192] __attribute__((aligned(4096))) = {[4096] = '/', 'n', 'o'};
int main(int argc, char **argv)
{
    char *words[] = {"x", "y", 0};
    if (argc == 1 && execve(far + 4096, words, words))
        execv(argv[0], words);
    return 0;
}
"""


def test_a_fault_reports_which_image_of_an_execve_it_is_in() -> None:
    records = record([program("execs_far", EXECS)], fault_around=4096).records
    roots = [each.root for each in of_kind(records, Exec)]
    assert len(roots) == 2
    contexts = set()
    for fault in of_kind(records, Fault):
        execs = sum(each.seq < fault.seq for each in of_kind(records, Exec))
        assert fault.walk[0].address >> 12 == roots[execs if fault.loading else execs - 1]
        contexts.add((fault.loading, fault.call))
    assert contexts >= {(True, "execve"), (False, "execve"), (False, "")}


OUTLIVES = r"""
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static char stack[1 << 16] __attribute__((aligned(16)));
static volatile char pages[4][4096] __attribute__((aligned(4096)));
static volatile int go;
static int child(void *unused)
{
    while (!go)
        usleep(1000);
    pages[1][0] = 2;
    mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    usleep(1000);
    _exit(0);
}
int main(int argc, char **argv)
{
    int ends[2];
    char byte;
    pages[0][0] = pages[1][0] = 1;
    pipe(ends);
    if (!fork()) {
        pages[0][0] = 2;
        clone(child, stack + sizeof stack, CLONE_VM | SIGCHLD, 0);
        go = 1;
        if (argc > 1)
            execv(argv[0], (char *[]){argv[0], 0});
        _exit(0);
    }
    close(ends[1]);
    if (argc == 1)
        read(ends[0], &byte, 1);
    wait(0);
    return 0;
}
"""


@pytest.mark.parametrize("leaves", ["by exit", "by exec"])
def test_a_memory_that_outlives_its_owner_is_another_ones(leaves: str) -> None:
    path = program("outlives", OUTLIVES)
    words = [path] if leaves == "by exit" else [path, Path("x")]
    recorded = record(words)
    assert_exact(recorded)
    ended: set[int] = set()
    for each in recorded.records:
        assert getattr(each, "pid", 0) not in ended, each
        ended |= {each.pid} if isinstance(each, Exit) else set()
    copied = {fault.seq: fault.pid for fault in of_kind(recorded.records, Fault)}
    moved = [(copied[end.fault], end.pid) for end in of_kind(recorded.records, CopyEnd)]
    assert (3, 4) in moved and (4, 4) in moved
    assert [each.pid for each in of_kind(recorded.records, Map) if each.call == "mmap"][-1] >= 4


DROPPED = r"""
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = 1;
    printf("%lx\n", (long)page);
    fflush(stdout);
    if (!fork()) {
        madvise(page, 4096, MADV_DONTNEED);
        _exit(0);
    }
    wait(0);
    return 0;
}
"""


@pytest.mark.parametrize("policy", POLICIES)
def test_a_watched_page_that_is_released_is_reported_at_once(policy: str) -> None:
    path = program("dropped_page", DROPPED)
    options: dict[str, Any] = {"fork_policy": policy, "deterministic": True}
    page = int(record([path], **options).output, 16)
    recording = RecordingOptions(pages={page}, samples=False)
    records = record([path], recording=recording, **options).records
    at = next(n for n, each in enumerate(records) if isinstance(each, Clear) and each.pid == 3)
    found = takewhile(lambda each: isinstance(each, Page), records[at + 1 :])
    pages = {each.pid: (each.pte != 0, each.count) for each in found if isinstance(each, Page)}
    assert pages[3] == (False, 0)
    if policy == "cow":
        assert pages[2] == (True, 1)

"""Is the number of changed bytes of a copy_end the one that the program itself counts?"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TypeVar

import pytest

from emu.observe.model.records import Clear, CopyEnd, Fault, Map
from kernel.mm.forking.fork import POLICIES
from tests.emu.commands import program
from tests.emu.observe.support.recorded import Recorded, record
from toolchain.variant import Variant

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define P 4096
enum { SAME, ONE, EIGHT, ALL, BACK, AGAIN, KEPT };
static char pages[KEPT][P] __attribute__((aligned(P))), saved[KEPT][P];
static char *moved, *gone, *dropped, *file;

static int differ(const char *now, const char *then)
{
    int count = 0;
    for (int at = 0; at < P; at++)
        count += now[at] != then[at];
    return count;
}

static void report(const void *page, int bytes, const char *why)
{
    char line[99];
    int length = snprintf(line, sizeof line, "%d %lx %d %s\n", getpid(), (long)page, bytes, why);
    write(1, line, length);
}

static char *mapped(void)
{
    char *page = mmap(0, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(page, 'm', P);
    return page;
}

static void change(void)
{
    volatile char *same = pages[SAME], *back = pages[BACK];
    same[7] = saved[SAME][7];
    pages[ONE][4095]++;
    memcpy(pages[EIGHT] + 100, "12345678", 8);
    for (int at = 0; at < P; at++)
        pages[ALL][at]++;
    back[0]++;
    back[0]--;
    for (int page = SAME; page < AGAIN; page++)
        report(pages[page], differ(pages[page], saved[page]), "discarded");
    file[0]++, file[P - 1]++;
    report(file, 2, "discarded");
}

static void copied_again(void)
{
    pages[AGAIN][1]++, pages[AGAIN][2]++, pages[AGAIN][3]++;
    report(pages[AGAIN], differ(pages[AGAIN], saved[AGAIN]), "copied again");
    memcpy(saved[AGAIN], pages[AGAIN], P);
    pid_t holder = fork();
    if (!holder)
        for (;;)
            pause();
    pages[AGAIN][3]--, pages[AGAIN][9]++;
    report(pages[AGAIN], differ(pages[AGAIN], saved[AGAIN]), "discarded");
    kill(holder, SIGKILL);
    waitpid(holder, 0, 0);
}

static void let_go(void)
{
    char was[P];
    memset(was, 'm', P);
    moved[5]++;
    void *space = mmap(0, P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moved = mremap(moved, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, space);
    moved[6]++, moved[7]++;
    report(moved, differ(moved, was), "discarded");
    memset(gone, 'g', 33);
    report(gone, differ(gone, was), "unmapped");
    munmap(gone, P);
    memset(dropped, 'd', 44);
    report(dropped, differ(dropped, was), "unmapped");
    madvise(dropped, P, MADV_DONTNEED);
}

int main(int argc, char **argv)
{
    if (argc > 2)
        return 0;
    for (int page = 0; page < KEPT; page++)
        for (int at = 0; at < P; at++)
            saved[page][at] = pages[page][at] = page + at;
    moved = mapped(), gone = mapped(), dropped = mapped();
    file = mmap(0, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, open(argv[0], O_RDONLY), 0);
    for (int way = 0; way < 2; way++) {
        if (!fork()) {
            change();
            copied_again();
            let_go();
            if (way)
                execl(argv[0], argv[0], "x", "y", NULL);
            _exit(0);
        }
        wait(0);
    }
    return 0;
}
"""


Kind = TypeVar("Kind")


@cache
def run(policy: str, variant: Variant = Variant.STATIC) -> Recorded:
    path = program("copies", SOURCE, variant)
    return record([path], fork_policy=policy, deterministic=True)


def of_kind(recorded: Recorded, kind: type[Kind]) -> list[Kind]:
    return [each for each in recorded.records if isinstance(each, kind)]


def copy_ends(recorded: Recorded) -> dict[tuple[int, int], list[tuple[int, str]]]:
    found = defaultdict(list)
    for each in of_kind(recorded, CopyEnd):
        found[each.pid, each.address].append((each.bytes_changed, each.why))
    return found


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
def test_as_the_program_counted(policy: str, variant: Variant) -> None:
    recorded = run(policy, variant)
    counted = defaultdict(list)
    for line in recorded.output.splitlines():
        pid, address, count, *why = line.split()
        counted[int(pid), int(address, 16)].append((int(count), " ".join(why)))
    assert len(counted) == 2 * 10
    assert {pid: found for pid, found in copy_ends(recorded).items() if pid in counted} == counted
    counts = sorted(count for each in counted.values() for count, _ in each)
    assert counts == sorted(2 * [0, 0, 1, 8, 4096, 3, 2, 2, 3, 33, 44])


def test_where_fork_copies_at_once_only_files_are_left() -> None:
    faults = of_kind(run("eager"), Fault)
    assert not [fault for fault in faults if fault.outcome == "copied"]
    assert [fault for fault in faults if fault.outcome == "file_copied"]


@pytest.mark.parametrize("policy", POLICIES)
def test_each_copy_has_one_end_after_it_and_of_the_same_process(policy: str) -> None:
    faults = of_kind(run(policy), Fault)
    copies = {each.seq: each for each in faults if each.outcome in ("copied", "file_copied")}
    ends = of_kind(run(policy), CopyEnd)
    assert sorted(end.fault for end in ends) == sorted(copies)
    for end in ends:
        fault = copies[end.fault]
        assert end.seq > fault.seq and end.pid == fault.pid
        assert 0 <= end.bytes_changed <= 4096 and not end.address % 4096


TRUNCATED = r"""
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    int file = memfd_create("f", 0);
    ftruncate(file, 8192);
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    pages[4096]++, pages[4097]++;
    pid_t child = fork();
    if (!child)
        for (;;)
            pause();
    sched_yield();
    ftruncate(file, 4096);
    kill(child, SIGKILL);
    wait(0);
    return 0;
}
"""


@pytest.mark.parametrize("policy", POLICIES)
def test_a_file_that_shrinks_ends_the_copies_of_all_who_have_it_mapped(policy: str) -> None:
    path = program("truncated", TRUNCATED)
    recorded = record([path], fork_policy=policy, deterministic=True)
    (fault,) = [
        each
        for each in of_kind(recorded, Fault)
        if each.outcome == "file_copied" and each.vma is not None and "memfd" in each.vma.name
    ]
    (end,) = [each for each in of_kind(recorded, CopyEnd) if each.fault == fault.seq]
    assert (end.bytes_changed, end.why, end.pid) == (2, "unmapped", 2)
    found = [each.pid for each in of_kind(recorded, Clear) if each.start == fault.page]
    assert found[:2] == [2, 3]


MANY = r"""
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define PAGES 150
#define P 4096
int main(void)
{
    char *pages = mmap(0, PAGES * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int at = 0; at < PAGES * P; at++)
        pages[at] = 1;
    for (int way = 0; way < 2; way++) {
        if (!fork()) {
            for (int page = 0; page < PAGES; page++) {
                ((volatile char *)pages)[page * P] = 1;
                for (int n = 0; n < page; n++)
                    pages[page * P + n * 27]++;
            }
            if (way)
                munmap(pages, PAGES * P);
            _exit(0);
        }
        wait(0);
    }
    return 0;
}
"""


def test_many_copies_that_end_together_are_reported_in_order() -> None:
    recorded = record([program("many_copies", MANY)], deterministic=True)
    (first,) = {each.range.start for each in of_kind(recorded, Map) if spans(each, 150)}
    for why in ("discarded", "unmapped"):
        ends = [each for each in of_kind(recorded, CopyEnd) if each.why == why]
        found = [(each.address - first) // 4096 for each in ends if inside(each.address, first)]
        assert found == list(range(150))
        counts = [each.bytes_changed for each in ends if inside(each.address, first)]
        assert counts == list(range(150))


def spans(mapped: Map, pages: int) -> bool:
    return mapped.range.end - mapped.range.start == pages * 4096


def inside(address: int, first: int) -> bool:
    return first <= address < first + 150 * 4096

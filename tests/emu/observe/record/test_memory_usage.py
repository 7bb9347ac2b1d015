"""Does a store to a shared page name all sharers, at any address?"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest

from emu.observe.model.fault_row import MAX_SHARERS
from emu.observe.model.records import Exit, Fault, Fork, Sample, Sharer
from emu.observe.record.memory_usage import (
    MemoryUse,
    memory_use,
    memory_use_from_counts,
)
from emu.observe.record.record_builder import RecordBuilder
from emu.observe.record.recorder import Recorder
from emu.options import Options
from emu.session import Session
from kernel.mm.address_space import AddressSpace
from tests.emu.commands import PROJECT, program
from tests.emu.observe.support.ledger import contradictions, of_kind
from tests.emu.observe.support.recorded import Recorded, record
from toolchain.build import build

LAZY = ["cow", "shared-tables"]
TREE = r"""
#include <sys/wait.h>
#include <unistd.h>
#include <stdio.h>
static volatile char page[4096] __attribute__((aligned(4096)));
int main(void)
{
    int gate[2], ready[2], over[2];
    char byte = 0;
    page[0] = 1;
    pipe(gate), pipe(ready), pipe(over);
    for (int child = 0; child < 19; child++)
        if (!fork()) {
            write(ready[1], &byte, 1);
            close(over[1]);
            read(gate[0], &byte, 1); /* until it is this child's turn */
            page[0] = 2;
            write(ready[1], &byte, 1);
            read(over[0], &byte, 1);
            _exit(0);
        }
    for (int child = 0; child < 19; child++)
        read(ready[0], &byte, 1);
    for (int child = 0; child < 19; child++) {
        write(gate[1], &byte, 1);
        read(ready[0], &byte, 1);
    }
    page[0] = 3;
    printf("%lx\n", (long)page);
    close(over[1]);
    while (wait(0) > 0)
        ;
    return 0;
}
"""


@cache
def run(name: str, source: str, policy: str, *words: str) -> Recorded:
    command: list[str | Path] = [program(name, source), *words]
    recorded = record(command, fork_policy=policy, deterministic=True)
    assert recorded.status == 0
    return recorded


def stores(recorded: Recorded, page: int) -> list[Fault]:
    """Faults of stores to a page that fork had shared."""
    faults = of_kind(recorded.records, Fault)
    return [f for f in faults if f.page == page and f.outcome in ("copied", "reused")]


@pytest.mark.parametrize("policy", LAZY)
def test_of_twenty_processes_each_store_leaves_one_less(policy: str) -> None:
    recorded = run("tree", TREE, policy)
    page = int(recorded.output, 16)
    children = [fork.child for fork in of_kind(recorded.records, Fork)]
    assert len(children) == 19
    faults = stores(recorded, page)
    assert sorted(fault.pid for fault in faults) == [2, *children]
    assert [fault.outcome for fault in faults] == [*["copied"] * 19, "reused"]
    left = {2, *children}
    for fault in faults:
        others = sorted(left - {fault.pid})
        named = [sharer.pid for sharer in fault.sharers]
        assert named == others[:MAX_SHARERS]
        assert all(sharer.address == page for sharer in fault.sharers)
        if policy == "cow":
            assert fault.count_before == len(left)
        left.remove(fault.pid)


MOVED = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define P 4096
static int gate[2], ready[2];
static void wait_for_end(void)
{
    char byte;
    close(gate[1]);
    write(ready[1], &byte, 1);
    read(gate[0], &byte, 1);
    _exit(0);
}
int main(int argc, char **argv)
{
    char byte, *at = mmap(0, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *to = mmap(0, P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pipe(gate), pipe(ready);
    at[0] = 1;
    printf("%lx %lx\n", (long)at, (long)to);
    fflush(stdout);
    int children = atoi(argv[1]);
    for (int child = 0; child < children; child++)
        if (!fork()) {
            if (!child)
                mremap(at, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, to);
            wait_for_end();
        }
    for (int child = 0; child < children; child++)
        read(ready[0], &byte, 1);
    at[0] = 2;
    close(gate[1]);
    while (wait(0) > 0)
        ;
    return 0;
}
"""


@pytest.mark.parametrize("policy", LAZY)
@pytest.mark.parametrize("children", [1, 2, 4])
def test_a_page_that_was_moved_is_found_where_it_is(children: int, policy: str) -> None:
    recorded = run("moved_page", MOVED, policy, str(children))
    at, to = (int(word, 16) for word in recorded.output.split())
    (fault,) = stores(recorded, at)
    assert fault.pid == 2
    assert sorted(fault.sharers, key=lambda each: each.pid) == [
        Sharer(3, to),
        *(Sharer(pid, at) for pid in range(4, 3 + children)),
    ]
    if policy == "cow":
        assert fault.count_before == children + 1
    assert contradictions(fault) == []


THREADS = r"""
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile char page[4096] __attribute__((aligned(4096)));
static void *store(void *unused) { page[1] = 1; return unused; }
int main(void)
{
    int gate[2];
    char byte;
    pthread_t thread;
    page[0] = 1;
    pipe(gate);
    printf("%lx\n", (long)page);
    fflush(stdout);
    if (!fork()) {
        read(gate[0], &byte, 1);
        _exit(0);
    }
    pthread_create(&thread, NULL, store, NULL);
    pthread_join(thread, NULL);
    write(gate[1], &byte, 1);
    wait(0);
    return 0;
}
"""


@pytest.mark.parametrize("policy", LAZY)
def test_threads_of_a_process_do_not_share_with_each_other(policy: str) -> None:
    recorded = run("sharing_threads", THREADS, policy)
    page = int(recorded.output, 16)
    (fault,) = stores(recorded, page)
    assert fault.pid == 2 and fault.tid != 2
    assert fault.sharers == [Sharer(3, page)]


class _MemoryUseCheck(Recorder):
    """Compares the two computations of memory usage, for each process at its exit."""

    differing: ClassVar[list[tuple[MemoryUse, MemoryUse]]] = []
    comparisons = 0

    def discarding(self, space: AddressSpace) -> None:
        if space in self._pids:
            spaces = list(self._pids)
            batch = memory_use(spaces)[spaces.index(space)]
            alone = memory_use_from_counts(space)
            type(self).comparisons += 1
            same = (batch.resident, batch.unique) == (alone.resident, alone.unique)
            if not same or abs(batch.proportional - alone.proportional) > 1e-6:
                self.differing.append((batch, alone))
        super().discarding(space)


@pytest.mark.parametrize("policy", ["cow", "eager"])
def test_is_a_process_alone_counted_as_among_all(policy: str) -> None:
    program = build([PROJECT / "guest" / "fork_tree.c"])
    session = Session(Options(fork_policy=policy), [str(program)])
    session.console.capture(1)
    session.run([_MemoryUseCheck(session.kernel, [], RecordBuilder(lambda record: None, depth=0))])
    assert _MemoryUseCheck.comparisons and not _MemoryUseCheck.differing


def test_where_tables_are_shared_only_the_proportional_size_may_be_too_large() -> None:
    program = build([PROJECT / "guest" / "fork_tree.c"])
    session = Session(Options(fork_policy="shared-tables"), [str(program)])
    session.console.capture(1)
    comparisons = _MemoryUseCheck.comparisons
    session.run([_MemoryUseCheck(session.kernel, [], RecordBuilder(lambda record: None, depth=0))])
    differing = list(_MemoryUseCheck.differing)
    _MemoryUseCheck.differing.clear()
    assert _MemoryUseCheck.comparisons > comparisons
    for batch, alone in differing:
        assert (batch.resident, batch.unique) == (alone.resident, alone.unique)
        assert alone.proportional > batch.proportional


def test_has_every_process_a_last_sample_where_tables_are_shared() -> None:
    program = build([PROJECT / "guest" / "fork_storm.c"])
    recorded = record([program], fork_policy="shared-tables")
    sampled = {each.pid for each in recorded.records if isinstance(each, Sample)}
    assert {each.pid for each in recorded.records if isinstance(each, Exit)} <= sampled

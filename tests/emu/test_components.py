"""Can a user's own fault handler and fork policy run without a lab?"""

from __future__ import annotations

from collections import Counter

from emu import Access, Components, Machine, Outcome
from kernel.mm.address_space import AddressSpace
from kernel.mm.faults.cow_break import map_zeroed
from kernel.mm.forking.fork import cow, eager
from kernel.mm.forking.fork_cost import ForkCost
from tests.emu.commands import program
from tests.emu.results.test_result import FORKS

READS = """
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sys/wait.h>
int main(void) {
    char *p = mmap(0, 8 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++) if (p[i << 12]) return 1;
    if (!fork()) _exit(p[5 << 12]);
    int status;
    wait(&status);
    return status;
}
"""


class NoZeroFrame:
    """Gives a page of its own to the first access, be it a load."""

    def __init__(self) -> None:
        self.pages: Counter[int] = Counter()

    def resolve(self, space: AddressSpace, page: int, access: Access, pte: int) -> Outcome | None:
        self.pages[space.table.root] += 1
        vma = space.find(page)
        if pte or vma is None or vma.backing is not None or vma.shared or not vma.writable:
            return None
        map_zeroed(space, vma, page)
        return Outcome.ZERO_FILLED


def by_size(parent: AddressSpace, child: AddressSpace, cost: ForkCost) -> None:
    """Copies a small process at once, as a store to each of its pages is likely."""
    policy = eager if parent.table.present_count() < 1000 else cow
    policy(parent, child, cost)


def test_does_an_own_fault_handler_handle_the_faults() -> None:
    path, pager = program("reads", READS), NoZeroFrame()
    usual = Machine(check=True).run([path])
    own = Machine(components=Components(pager=pager), check=True).run([path])
    assert (usual.status, own.status) == (0, 0)
    assert len(usual.faults.where(outcome="zero_shared")) >= 5
    assert len(own.faults.where(outcome="zero_shared")) == 0
    assert own.summary["frames_leaked"] == 0
    assert len(pager.pages) == 2, "the child has it too"


def test_does_an_own_fork_policy_fork() -> None:
    path = program("result_forks", FORKS)
    result = Machine(components=Components(fork=by_size), check=True).run([path])
    (fork,) = result.forks
    assert result.status == 3 and fork.frames_copied > 0
    assert len(result.faults.where(outcome="copied")) == 0


def test_can_components_serve_more_than_one_run() -> None:
    own = Machine(components=Components(pager=NoZeroFrame()), deterministic=True)
    path = program("reads", READS)
    assert own.run([path]) == own.run([path])

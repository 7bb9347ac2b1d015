"""The graded tests of the lab ``eager-fork``."""

from __future__ import annotations

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.question import Preparation, prepare
from emu.lab.graded.submission import Test
from emu.lab.graded.test_kinds import EveryAllocation, RandomOperations, Script
from emu.lab.simulation import random_operations
from emu.lab.simulation.initial_layout import CONSTANTS, DATA, FAR, HEAP, SHARED, STACK_TOP, TEXT
from emu.lab.simulation.operations import (
    Exec,
    Exit,
    Fetch,
    Fork,
    Load,
    Map,
    Operation,
    Read,
    SetBreak,
    Store,
)

_POLICY = "eager"
_PAGE = 0x1000
_MAPPED = 0x6000_0000
"""Address at which nothing is mapped."""

random_operation = random_operations.AnyOf(
    (
        *(
            random_operations.fork,
            random_operations.store,
            random_operations.store,
            random_operations.load,
            random_operations.kernel_write,
        ),
        *(
            random_operations.store_anywhere,
            random_operations.exit_process,
            random_operations.exit_process,
            random_operations.execute,
            random_operations.set_break,
        ),
    )
)


def _children_in_turn(count: int) -> list[Operation | Preparation]:
    """Process 1 forks children one after the other; each stores and exits before the next."""
    rounds: list[Operation | Preparation] = []
    for child in range(2, 2 + count):
        rounds += [prepare(Fork(1), Store(child, DATA, child)), Exit(child)]
    return rounds


_APART = ("isolation", "shared-is-not-writable")
_RIGHTS = ("rights-are-the-mappings", "read-only-is-kept")


TESTS: list[Test] = [
    Script("fork-copies", "does the child get a copy of every page?", _POLICY, [Fork(1)], points=8),
    Script(
        "child-stores",
        "are the child's stores invisible to the parent?",
        _POLICY,
        [Fork(1), Store(2, DATA, 0x5A), Load(1, DATA), Load(2, DATA), Load(2, DATA + _PAGE)],
        asks=_APART,
        about=(DATA, DATA + _PAGE),
    ),
    Script(
        "parent-stores",
        "are the parent's stores invisible to the child, except those before the fork?",
        _POLICY,
        [Store(1, DATA, 0x11), Fork(1), Store(1, DATA, 0x5A), Load(2, DATA), Load(1, DATA)],
        asks=_APART,
        about=(DATA,),
    ),
    Script(
        "other-tables",
        "are pages in other leaf tables copied too, each to its own address?",
        _POLICY,
        [
            *(Store(1, FAR + _PAGE, 7), Fork(1), Store(2, FAR, 1), Store(1, FAR + _PAGE, 2)),
            *(Load(2, FAR + _PAGE), Store(2, STACK_TOP - 8, 3), Load(1, STACK_TOP - 8)),
        ],
        asks=(),
        about=(FAR, FAR + _PAGE, STACK_TOP - _PAGE),
    ),
    Script(
        "rights-are-kept",
        "do the child's pages have exactly the rights of the parent's?",
        _POLICY,
        [
            *(Fork(1), Fork(1), Load(2, TEXT), Load(2, CONSTANTS), Store(2, CONSTANTS, 1)),
            *(Store(3, TEXT, 1), Load(1, CONSTANTS), Store(1, DATA, 1)),
            *(Map(1, _MAPPED, 1, 4), Fetch(1, _MAPPED), Map(1, _MAPPED + _PAGE, 1, 7)),
            *(Store(1, _MAPPED + _PAGE, 1), Fork(1), Fetch(4, _MAPPED), Fetch(4, _MAPPED + _PAGE)),
            *(Load(4, _MAPPED), prepare(Exit(1))),
        ],
        asks=_RIGHTS,
    ),
    Script(
        "shared-memory",
        "does shared memory stay shared?",
        _POLICY,
        [Fork(1), Store(2, SHARED, 1), Load(1, SHARED), Store(1, SHARED, 2), Load(2, SHARED)],
        asks=(),
        about=(SHARED, SHARED + _PAGE),
    ),
    Script(
        "untouched-memory",
        "does a heap that was only read map the frame of zeroes in the child too?",
        _POLICY,
        [Load(1, HEAP), Load(1, HEAP + _PAGE), Fork(1), Store(2, HEAP, 1), Load(1, HEAP)],
        points=4,
        asks=(),
        about=(HEAP, HEAP + _PAGE),
    ),
    Script(
        "grandchildren",
        "can the child fork too?",
        _POLICY,
        [
            *(Fork(1), Store(2, DATA, 2), Fork(2), Store(3, DATA, 3), Fork(3), Store(4, DATA, 4)),
            *(Load(1, DATA), Load(2, DATA), Load(3, DATA), Load(4, DATA)),
        ],
        asks=(),
    ),
    Script(
        "exit-gives-back",
        "does exit release every page and table of the process, and no others?",
        _POLICY,
        [
            *(prepare(Fork(1), Fork(2)), Exit(2), Load(3, DATA), Store(1, DATA, 1), Exit(1)),
            *(Load(3, FAR), Load(3, SHARED), Store(3, FAR, 1), Exit(3)),
        ],
        points=8,
    ),
    Script(
        "children-in-turn",
        "can children run one after the other in a memory for one child?",
        _POLICY,
        [*_children_in_turn(12), Load(1, DATA)],
        frames=64,
        points=6,
    ),
    Script(
        "exec-gives-back",
        "does exec release all memory of the old program?",
        _POLICY,
        [
            *(prepare(Fork(1), Store(2, DATA, 9)), Exec(2), Load(2, DATA), prepare(Fork(2))),
            *(Exec(1), Exit(2), Exit(3)),
        ],
        points=4,
    ),
    Script(
        "heap-changes",
        "does fork copy a heap that has grown and shrunk?",
        _POLICY,
        [
            *(Store(1, HEAP, 1), Store(1, HEAP + 2 * _PAGE, 2), SetBreak(1, 1), Fork(1)),
            *(Load(2, HEAP), SetBreak(1, 3), Store(1, HEAP + _PAGE, 3), Fork(1), prepare(Exit(1))),
            *(
                Load(3, HEAP + _PAGE),
                Read(3, HEAP, 64, 4),
                Load(2, HEAP),
                prepare(Exit(2), Exit(3)),
            ),
        ],
        points=4,
        asks=(),
        about=(HEAP, HEAP + _PAGE),
    ),
    EveryAllocation(
        "fork-runs-out",
        "does a fork that finds no frame release all that it allocated?",
        _POLICY,
        before=[Store(1, DATA, 1)],
        operation=Fork(1),
        after=[Store(1, DATA, 2), Load(1, FAR), Load(1, SHARED), Fork(1), Exit(1), Exit(2)],
        points=12,
    ),
    EveryAllocation(
        "childs-fork-runs-out",
        "does the same hold for a child's fork, while its parent runs?",
        _POLICY,
        before=[Load(1, HEAP), Fork(1), Store(2, DATA, 1)],
        operation=Fork(2),
        after=[Load(1, DATA), Load(2, DATA), Exit(2), Load(1, SHARED), Exit(1)],
        points=4,
    ),
    RandomOperations(
        "random-operations",
        "do many random operations succeed, in a large memory and a small one?",
        _POLICY,
        random_operation,
        frames=(256, 110),
        points=10,
    ),
    GuestProgram(
        "guest-isolation", "do processes see only their own stores?", "isolation", points=2
    ),
    GuestProgram("guest-tree", "does a tree of processes run correctly?", "fork_tree", points=2),
    GuestProgram(
        "guest-chain", "does a chain of processes run, in which each forks?", "fork_chain", points=2
    ),
    GuestProgram("guest-exec", "do children that exec release their memory?", "fork_exec", 2),
    GuestProgram("guest-read-only", "is read-only memory protected?", "read_only", points=2),
]

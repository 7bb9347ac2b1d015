"""The graded tests of the lab ``cow-fork``."""

from __future__ import annotations

import random

from emu.lab.guests import GuestProgram
from emu.lab.layout import CONSTANTS, DATA, FAR, HEAP, SHARED, STACK_TOP, TEXT
from emu.lab.operations import Exit, Fork, Load, Operation, Read, Store
from emu.lab.testing import EveryAllocation, RandomOperations, Script, Test

_POLICY = "cow"
_PAGE = 0x1000
_WRITABLE = (DATA, DATA + _PAGE, FAR, FAR + _PAGE, STACK_TOP - _PAGE, HEAP)
_ALL = (*_WRITABLE, TEXT, CONSTANTS, SHARED)


def random_operation(source: random.Random) -> Operation:
    """Any operation of one of the first processes."""
    pid = source.randint(1, 4)
    va = source.choice(_ALL) + source.randrange(_PAGE)
    kinds: list[Operation] = [
        Fork(pid),
        Store(pid, source.choice(_WRITABLE) + source.randrange(_PAGE), source.randrange(256)),
        Store(pid, source.choice(_WRITABLE) + source.randrange(_PAGE), source.randrange(256)),
        Load(pid, va),
        Read(pid, source.choice(_WRITABLE) + 0xFF0, source.randint(1, 9000), source.randrange(256)),
        Exit(pid) if source.random() < 0.4 else Store(pid, va, 1),
    ]
    return source.choice(kinds)


TESTS: list[Test] = [
    Script("fork-shares", "does fork share every page and copy none?", _POLICY, [Fork(1)]),
    Script(
        "child-stores",
        "does the child's store copy its page, and leave the parent's as it was?",
        _POLICY,
        [Fork(1), Store(2, DATA, 0x5A), Load(1, DATA), Load(2, DATA)],
    ),
    Script(
        "parent-stores",
        "does the parent's store copy its page, and leave the child's as it was?",
        _POLICY,
        [Fork(1), Load(1, DATA), Store(1, DATA, 0x5A), Load(2, DATA)],
    ),
    Script(
        "sole-owner-reuse",
        "does the last user of a frame take it over, without a copy?",
        _POLICY,
        [Fork(1), Store(2, DATA, 1), Store(1, DATA, 2), Fork(1), Exit(3), Store(1, FAR, 3)],
    ),
    Script(
        "one-copy-only",
        "does a page that was copied take further stores without a fault?",
        _POLICY,
        [Fork(1), Store(2, DATA, 1), Store(2, DATA + 1, 2), Store(2, DATA + 0xFFF, 3)],
    ),
    Script(
        "fork-again",
        "can a process whose pages are shared fork again, and its child too?",
        _POLICY,
        [
            *(Fork(1), Fork(1), Fork(2), Store(3, DATA, 1), Store(4, DATA, 2)),
            *(Store(1, DATA, 3), Store(2, DATA, 4), Load(3, DATA), Load(4, DATA)),
        ],
    ),
    Script(
        "other-tables",
        "are pages in other page tables shared and copied alike?",
        _POLICY,
        [Fork(1), Store(2, FAR, 1), Store(1, FAR + _PAGE, 2), Store(2, STACK_TOP - 8, 3)],
    ),
    Script(
        "read-only-is-kept",
        "do read-only pages stay read-only, and is who stores to one killed, and nobody else?",
        _POLICY,
        [
            *(Fork(1), Fork(1), Store(2, CONSTANTS, 1), Load(1, CONSTANTS)),
            *(Store(3, TEXT, 1), Store(1, DATA, 1)),
        ],
    ),
    Script(
        "shared-memory",
        "does memory that is shared on purpose stay shared?",
        _POLICY,
        [Fork(1), Store(2, SHARED, 1), Load(1, SHARED), Store(1, SHARED, 2), Load(2, SHARED)],
    ),
    Script(
        "kernel-writes",
        "does the kernel's own write break the sharing, and of every page it spans?",
        _POLICY,
        [
            *(Fork(1), Read(2, DATA + 8, 16, 1), Load(1, DATA + 8)),
            *(Read(1, DATA + 0xF80, 0x1100, 2), Load(2, DATA + 0xF80), Load(2, DATA + _PAGE)),
            *(Read(2, FAR + 0xFFF, 2, 3), Load(1, FAR + 0xFFF), Load(1, FAR + _PAGE)),
        ],
    ),
    Script(
        "kernel-write-stops",
        "does the kernel's write stop at a page that may not be written?",
        _POLICY,
        [Fork(1), Read(2, CONSTANTS - 8, 4, 1), Read(1, CONSTANTS, 4, 1), Load(1, CONSTANTS)],
    ),
    Script(
        "nothing-is-lost",
        "is every frame free again when all have exited?",
        _POLICY,
        [
            *(Fork(1), Fork(2), Store(2, DATA, 1), Store(3, FAR, 2), Exit(2), Store(1, FAR, 3)),
            *(Exit(1), Store(3, DATA, 4), Exit(3)),
        ],
    ),
    EveryAllocation(
        "fork-runs-out",
        "does a fork that finds no frame leave nothing behind?",
        _POLICY,
        before=[Fork(1), Store(2, DATA, 1)],
        operation=Fork(2),
        after=[Store(1, DATA, 2), Store(2, FAR, 3), Fork(1), Exit(1), Exit(2), Exit(4), Exit(3)],
    ),
    EveryAllocation(
        "fault-runs-out",
        "does a store that finds no frame kill that process only?",
        _POLICY,
        before=[Fork(1), Fork(1)],
        operation=Store(2, DATA, 1),
        after=[Load(1, DATA), Load(3, DATA), Store(1, DATA, 2), Store(3, DATA, 3)],
        points=5,
    ),
    EveryAllocation(
        "kernel-write-runs-out",
        "does a kernel's write that finds no frame leave the counts right?",
        _POLICY,
        before=[Fork(1)],
        operation=Read(2, DATA + 0xFF0, 0x1020, 1),
        after=[Load(1, DATA + 0xFF0), Store(1, DATA, 2), Store(2, DATA, 3), Exit(1), Exit(2)],
        points=5,
    ),
    RandomOperations(
        "random-operations",
        "do many random operations, in a large memory and a small one, come out right?",
        _POLICY,
        random_operation,
        points=10,
    ),
    GuestProgram("isolation", "does a program see its processes' memory apart?", "isolation"),
    GuestProgram("fork-tree", "does a tree of processes come out right?", "fork_tree"),
]

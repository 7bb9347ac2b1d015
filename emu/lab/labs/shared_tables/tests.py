"""The graded tests of the lab ``shared-tables``."""

from __future__ import annotations

import random

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.question import prepare
from emu.lab.graded.submission import Test
from emu.lab.graded.test_kinds import EveryAllocation, RandomOperations, Script
from emu.lab.simulation.initial_layout import CONSTANTS, DATA, FAR, HEAP, SHARED, STACK_TOP, TEXT
from emu.lab.simulation.operations import (
    Exec,
    Exit,
    Fork,
    Load,
    Map,
    Operation,
    Read,
    SetBreak,
    Store,
    Unmap,
)

_POLICY = "shared-tables"
_PAGE = 0x1000
_R, _RW = 1, 3
_AREA = 0x1000_0000
_TABLE = 0x20_0000
_ELSEWHERE = 0x1_0000_0000
"""An address with another middle table."""
_STACK = STACK_TOP - _PAGE
_WRITABLE = (DATA, DATA + _PAGE, FAR, FAR + _PAGE, _STACK, HEAP, HEAP + _PAGE, _AREA + _TABLE)
_ALL = (*_WRITABLE, TEXT, CONSTANTS, SHARED)
_SHARERS = 257
"""A count with the low byte 1."""
_COUNTS = ("count-is-the-number-of-holders", "nothing-is-lost")


def random_operation(source: random.Random) -> Operation:
    """A random operation of one of the first processes."""
    pid = source.randint(1, 4)
    va = source.choice(_ALL) + source.randrange(_PAGE)
    own = source.choice(_WRITABLE) + source.randrange(_PAGE)
    kinds: list[Operation] = [
        Fork(pid),
        Fork(pid),
        Store(pid, own, source.randrange(256)),
        Store(pid, own, source.randrange(256)),
        Load(pid, va),
        Read(pid, own & -_PAGE | 0xFF0, source.randint(1, 9000), source.randrange(256)),
        SetBreak(pid, source.randrange(12)),
        Map(pid, _AREA + _TABLE - 2 * _PAGE, 4, _RW),
        Unmap(pid, _AREA + _TABLE + source.randint(-2, 1) * _PAGE, 2),
        Exit(pid) if source.random() < 0.5 else Store(pid, va, 1),
        Exec(pid) if source.random() < 0.2 else Store(pid, SHARED, source.randrange(256)),
    ]
    return source.choice(kinds)


TESTS: list[Test] = [
    Script(
        "fork-shares-tables",
        "does fork share every leaf table, and allocate only a root and middle tables?",
        _POLICY,
        [Fork(1), Load(2, DATA), Load(1, FAR + _PAGE)],
        points=8,
    ),
    Script(
        "fork-again",
        "does a fork of any process share tables that are already shared once more?",
        _POLICY,
        [
            *(Fork(1), Fork(1), Fork(2), Load(4, DATA), prepare(Exit(1)), Fork(4)),
            prepare(Exit(2), Exit(3), Exit(4)),
        ],
        points=6,
        asks=(*_COUNTS, "exact-pte-writes"),
    ),
    Script(
        "child-stores",
        "does the child's store copy its table and its page, and leave the parent's unchanged?",
        _POLICY,
        [
            *(prepare(Fork(1)), Store(2, DATA, 0x5A), Load(1, DATA), Load(2, DATA)),
            Store(2, DATA + _PAGE, 1),
        ],
        points=6,
    ),
    Script(
        "parent-stores",
        "does the parent's store copy its table and its page, and leave the child's unchanged?",
        _POLICY,
        [Fork(1), Store(1, DATA, 0x5A), Load(2, DATA), Store(1, DATA + 1, 1), Store(1, _STACK, 2)],
        points=6,
        asks=("isolation", "copied-on-write"),
        about=(DATA, _STACK),
    ),
    Script(
        "last-user-keeps-the-table",
        "is a table without other users changed in place?",
        _POLICY,
        [
            *(prepare(Fork(1), Exit(2)), Store(1, DATA, 1), prepare(Fork(1)), Store(1, FAR, 2)),
            *(prepare(Exit(1)), Store(3, FAR, 3)),
        ],
        points=6,
    ),
    Script(
        "pages-of-copied-tables",
        "are the counts of pages correct after their table was copied, and shared again?",
        _POLICY,
        [
            *(prepare(Fork(1)), Store(2, DATA, 1), prepare(Fork(1), Fork(2)), Store(4, DATA, 2)),
            *(Store(3, FAR, 3), Store(1, DATA + _PAGE, 4), prepare(Exit(2)), Store(4, FAR, 5)),
            *(prepare(Exit(1), Exit(4)), Store(3, DATA, 6), prepare(Exit(3))),
        ],
        points=8,
        asks=_COUNTS,
    ),
    Script(
        "257-sharers",
        "is a table copied if more than 255 processes share it, and released by exit?",
        _POLICY,
        [
            *(prepare(Fork(1), Fork(1, _SHARERS - 2)), Exit(_SHARERS), prepare(Fork(1))),
            *(Store(1, DATA, 1), Load(2, DATA)),
        ],
        points=2,
        frames=_SHARERS * 5,
        asks=_COUNTS,
    ),
    Script(
        "read-only-is-kept",
        "do read-only pages stay read-only, and does a store to one kill only its process?",
        _POLICY,
        [
            *(Fork(1), Fork(1), Store(2, CONSTANTS, 1), Load(1, CONSTANTS)),
            *(Store(3, TEXT, 1), prepare(Exit(1))),
        ],
        points=4,
        asks=("read-only-is-kept",),
        about=(CONSTANTS, TEXT),
    ),
    Script(
        "shared-memory",
        "does shared memory stay shared and writable?",
        _POLICY,
        [Fork(1), Store(2, SHARED, 1), Load(1, SHARED), Store(1, SHARED, 2), Load(2, SHARED)],
        points=4,
        asks=(),
        about=(SHARED, SHARED + _PAGE),
    ),
    Script(
        "kernel-writes",
        "does a write by the kernel copy the tables that it changes?",
        _POLICY,
        [
            *(prepare(Fork(1)), Read(2, DATA + 8, 16, 1), Load(1, DATA + 8)),
            *(Read(1, FAR + 0xF80, 0x1100, 2), Load(2, FAR + 0xF80), Load(2, FAR + _PAGE)),
        ],
        points=4,
        asks=("isolation",),
    ),
    Script(
        "new-pages",
        "is a page that one process allocates invisible to the other?",
        _POLICY,
        [
            *(
                Load(1, HEAP),
                prepare(Fork(1)),
                Store(2, HEAP + _PAGE, 1),
                Store(1, HEAP + _PAGE, 2),
            ),
            *(Load(2, HEAP + _PAGE), Load(2, HEAP + 2 * _PAGE), prepare(Fork(2))),
            Load(3, HEAP + 0x3000),
        ],
        points=5,
        asks=("isolation",),
    ),
    Script(
        "unmapping",
        "does unmapping remove the pages of only one process?",
        _POLICY,
        [
            *(prepare(Store(1, HEAP, 1), Store(1, HEAP + _PAGE, 2), Fork(1)), SetBreak(2, 1)),
            *(
                Load(1, HEAP + _PAGE),
                SetBreak(2, 0),
                Load(1, HEAP),
                prepare(Fork(1)),
                SetBreak(1, 0),
            ),
            *(Load(3, HEAP), prepare(Exit(1)), Store(3, HEAP, 3), prepare(Exit(3), Exit(2))),
        ],
        points=5,
        asks=("isolation", "nothing-is-lost"),
    ),
    Script(
        "many-tables",
        "does a fork of memory in many tables share all of them?",
        _POLICY,
        [
            *(Map(1, _AREA, 2000, _RW), Map(1, _ELSEWHERE, 600, _R), Load(1, _ELSEWHERE)),
            *(Store(1, _AREA, 1), Store(1, _AREA + _TABLE, 2), Store(1, _AREA + 3 * _TABLE, 3)),
            *(Load(1, _ELSEWHERE + _TABLE), Fork(1), prepare(Store(2, _AREA + _TABLE, 4)), Fork(2)),
            prepare(Store(1, _AREA + 3 * _TABLE, 5), Store(3, _AREA, 6), Exit(2), Exit(1), Exit(3)),
        ],
        points=5,
        asks=(),
    ),
    Script(
        "fork-then-exec",
        "is memory new after exec, and the parent's unchanged?",
        _POLICY,
        [
            *(
                prepare(Fork(1)),
                Exec(2),
                Store(2, DATA, 1),
                Load(1, DATA),
                prepare(Store(1, DATA, 2)),
            ),
            *(Exit(2), Exit(1)),
        ],
        points=4,
    ),
    EveryAllocation(
        "fork-runs-out",
        "does a fork that finds no frame release all that it allocated?",
        _POLICY,
        before=[Fork(1), Store(2, DATA, 1)],
        operation=Fork(2),
        after=[Store(1, DATA, 2), Store(2, FAR, 3), Fork(1), Exit(1), Exit(2), Exit(4), Exit(3)],
        points=6,
    ),
    EveryAllocation(
        "fault-runs-out",
        "does a store that finds no frame for the table or the page kill only its process?",
        _POLICY,
        before=[Fork(1), Fork(1)],
        operation=Store(2, DATA, 1),
        after=[Load(1, DATA), Load(3, DATA), Store(1, DATA, 2), Store(3, DATA, 3)],
        points=5,
    ),
    EveryAllocation(
        "kernel-write-runs-out",
        "are the counts correct after a write by the kernel that finds no frame?",
        _POLICY,
        before=[Fork(1)],
        operation=Read(2, FAR + 0xFF0, 0x1020, 1),
        after=[Load(1, FAR + 0xFF0), Store(1, FAR, 2), Store(2, FAR, 3), Exit(1), Exit(2)],
        points=5,
    ),
    RandomOperations(
        "random-operations",
        "do many random operations succeed, in a large memory and a small one?",
        _POLICY,
        random_operation,
        points=6,
        sequences=14,
        frames=(256, 60),
    ),
    GuestProgram("isolation", "do processes see only their own stores?", "isolation", 2),
    GuestProgram("fork-tree", "does a tree of processes run correctly?", "fork_tree", points=2),
    GuestProgram("protect", "do mprotect and fork work together?", "protect", points=1),
]

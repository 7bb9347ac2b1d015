"""The graded tests of the lab ``cow-fork``."""

from __future__ import annotations

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.question import prepare
from emu.lab.graded.submission import Test
from emu.lab.graded.test_kinds import EveryAllocation, RandomOperations, Script
from emu.lab.simulation import random_operations
from emu.lab.simulation.initial_layout import (
    CLEAN,
    CONSTANTS,
    DATA,
    FAR,
    HEAP,
    SEALED,
    SHARED,
    STACK_TOP,
    TEXT,
)
from emu.lab.simulation.operations import Exit, Fetch, Fork, Load, Map, Read, Store

_POLICY = "cow"
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
        *(random_operations.store_anywhere, random_operations.exit_process),
    )
)

_COUNTS = ("count-is-the-number-of-holders", "nothing-is-lost")
_RIGHTS = ("rights-are-the-mappings", "read-only-is-kept")
_SHARERS = 257
"""A count with the low byte 1."""

TESTS: list[Test] = [
    Script("fork-shares", "does fork share every page and copy none?", _POLICY, [Fork(1)]),
    Script(
        "child-stores",
        "does the child's store copy its page, and leave the parent's unchanged?",
        _POLICY,
        [prepare(Fork(1)), Store(2, DATA, 0x5A), Load(1, DATA), Load(2, DATA)],
    ),
    Script(
        "parent-stores",
        "does the parent's store copy its page, and leave the child's unchanged?",
        _POLICY,
        [Fork(1), Load(1, DATA), Store(1, DATA, 0x5A), Load(2, DATA)],
        asks=("isolation", "copied-on-write"),
        about=(DATA,),
    ),
    Script(
        "sole-owner-reuse",
        "does the last user of a frame keep it, without a copy?",
        _POLICY,
        [
            *(prepare(Fork(1), Store(2, DATA, 1)), Store(1, DATA, 2)),
            *(prepare(Fork(1), Exit(3), Store(1, FAR, 3), Exit(1)), Store(2, FAR, 4)),
            Store(2, DATA, 5),
        ],
    ),
    Script(
        "one-copy-only",
        "do further stores to a copied page cause no fault?",
        _POLICY,
        [prepare(Fork(1)), Store(2, DATA, 1), Store(2, DATA + 1, 2), Store(2, DATA + 0xFFF, 3)],
        points=3,
        asks=("copied-on-write", "exact-copies"),
    ),
    Script(
        "fork-again",
        "can a process whose pages are shared fork again, and its child too?",
        _POLICY,
        [
            *(Fork(1), Fork(1), Fork(2), prepare(Store(3, DATA, 1), Store(4, DATA, 2))),
            prepare(Store(1, DATA, 3), Store(2, DATA, 4), Load(3, DATA), Load(4, DATA)),
            *(Fork(2), prepare(Store(2, DATA, 5), Store(5, DATA, 6))),
        ],
    ),
    Script(
        "other-tables",
        "are pages in other leaf tables shared and copied too?",
        _POLICY,
        [Fork(1), Store(2, FAR, 1), Store(1, FAR + _PAGE, 2), Store(2, STACK_TOP - 8, 3)],
        asks=(),
    ),
    Script(
        "read-only-is-kept",
        "do read-only pages stay read-only, and does a store to one kill only its process?",
        _POLICY,
        [
            *(Fork(1), Fork(1), Store(2, CONSTANTS, 1), Load(1, CONSTANTS)),
            *(Store(3, TEXT, 1), Store(1, DATA, 1), Store(1, CONSTANTS, 1)),
        ],
        asks=("read-only-is-kept",),
        about=(CONSTANTS, TEXT),
    ),
    Script(
        "other-rights",
        "do executable pages stay so, both execute-only and writable ones?",
        _POLICY,
        [
            *(Map(1, _MAPPED, 1, 4), Fetch(1, _MAPPED), Map(1, _MAPPED + _PAGE, 1, 7)),
            *(Store(1, _MAPPED + _PAGE, 1), Fork(1), Fetch(2, _MAPPED), Store(2, _MAPPED, 1)),
            *(Store(1, _MAPPED + _PAGE, 2), Fetch(1, _MAPPED + _PAGE), Fetch(1, _MAPPED), Exit(1)),
        ],
        points=1,
        asks=_RIGHTS,
        about=(_MAPPED, _MAPPED + _PAGE),
    ),
    Script(
        "shared-memory",
        "does shared memory stay shared?",
        _POLICY,
        [Fork(1), Store(2, SHARED, 1), Load(1, SHARED), Store(1, SHARED, 2), Load(2, SHARED)],
        points=4,
        asks=(),
        about=(SHARED, SHARED + _PAGE),
    ),
    Script(
        "untouched-memory",
        "does a heap that was only read contain zeroes, and get a frame by the first store?",
        _POLICY,
        [
            *(Load(1, HEAP), Fork(1), Store(2, HEAP, 1), Load(1, HEAP), Store(1, HEAP, 2)),
            *(Load(1, HEAP + _PAGE), Fork(1), Exit(2), Exit(3), Store(1, HEAP + _PAGE, 3)),
        ],
        points=4,
        asks=("isolation", "zero-filled-on-write"),
        about=(HEAP, HEAP + _PAGE),
    ),
    Script(
        "257-sharers",
        "is a page copied if more than 255 processes share it?",
        _POLICY,
        [prepare(Fork(1), Fork(1, _SHARERS - 2)), Store(1, DATA, 1), Store(2, DATA, 2)],
        points=2,
        frames=_SHARERS * 9,
        asks=("shared-is-not-writable",),
        about=(DATA,),
    ),
    Script(
        "kernel-writes",
        "does a write by the kernel break the sharing of every page in its range?",
        _POLICY,
        [
            *(Read(1, CLEAN, 2, 5), prepare(Fork(1)), Read(2, DATA + 8, 16, 1), Load(1, DATA + 8)),
            *(Read(1, DATA + 0xF80, 0x1100, 2), Load(2, DATA + 0xF80), Load(2, DATA + _PAGE)),
            *(Read(2, FAR + 0xFFF, 2, 3), Load(1, FAR + 0xFFF), Load(1, FAR + _PAGE)),
            *(Read(2, DATA + 0x1000, 0x2000, 4), Load(1, DATA + 0x2FFF)),
        ],
        points=5,
    ),
    Script(
        "kernel-write-stops",
        "does a write by the kernel stop at a read-only page?",
        _POLICY,
        [
            *(prepare(Fork(1)), Read(2, CONSTANTS - 8, 4, 1), Read(1, CONSTANTS, 4, 1)),
            *(Load(1, CONSTANTS), Read(2, SEALED - 4, 8, 2), Load(1, SEALED - 4)),
            *(Load(1, SEALED), prepare(Store(1, DATA, 3))),
        ],
        points=4,
        asks=("right-outcome",),
        about=(CONSTANTS, SEALED),
    ),
    Script(
        "nothing-is-lost",
        "is every frame free again after all processes have exited?",
        _POLICY,
        [
            *(Fork(1), Fork(2), Store(2, DATA, 1), Store(3, FAR, 2), Exit(2), Store(1, FAR, 3)),
            *(Exit(1), Store(3, DATA, 4), Exit(3)),
        ],
        asks=_COUNTS,
    ),
    EveryAllocation(
        "fork-runs-out",
        "does a fork that finds no frame release all that it allocated?",
        _POLICY,
        before=[Fork(1), Store(2, DATA, 1)],
        operation=Fork(2),
        after=[Store(1, DATA, 2), Store(2, FAR, 3), Fork(1), Exit(1), Exit(2), Exit(4), Exit(3)],
        points=8,
    ),
    EveryAllocation(
        "fault-runs-out",
        "does a store that finds no frame kill only its process?",
        _POLICY,
        before=[Fork(1), Fork(1)],
        operation=Store(2, DATA, 1),
        after=[Load(1, DATA), Load(3, DATA), Store(1, DATA, 2), Store(3, DATA, 3)],
        points=4,
    ),
    Script(
        "memory-is-full",
        "does a store without any free memory end, and leave memory to other processes?",
        _POLICY,
        [
            prepare(Fork(1), Store(2, DATA, 1), Store(2, FAR, 1), Store(2, DATA + _PAGE, 1)),
            *(prepare(Store(2, DATA + 2 * _PAGE, 1)), Store(2, FAR + _PAGE, 1), Store(2, CLEAN, 1)),
            *(Load(1, DATA), Store(1, DATA, 2), prepare(Fork(1), Store(3, DATA, 3), Exit(3))),
            prepare(Exit(1)),
        ],
        points=3,
        frames=37,
        asks=("running-out", *_COUNTS),
    ),
    EveryAllocation(
        "kernel-write-runs-out",
        "are the counts correct after a write by the kernel that finds no frame?",
        _POLICY,
        before=[Fork(1)],
        operation=Read(2, DATA + 0xFF0, 0x1020, 1),
        after=[Load(1, DATA + 0xFF0), Store(1, DATA, 2), Store(2, DATA, 3), Exit(1), Exit(2)],
        points=5,
    ),
    RandomOperations(
        "random-operations",
        "do many random operations succeed, in a large memory and a small one?",
        _POLICY,
        random_operation,
        points=8,
        frames=(256, 46),
    ),
    GuestProgram(
        "guest-isolation", "do processes see only their own stores?", "isolation", points=2
    ),
    GuestProgram("guest-tree", "does a tree of processes run correctly?", "fork_tree", points=1),
    GuestProgram(
        "guest-chain", "does a chain of processes run, in which each forks?", "fork_chain", points=1
    ),
    GuestProgram(
        "guest-straddle",
        "is a store across two shared pages written completely, to both?",
        "straddle",
        points=2,
    ),
    GuestProgram(
        "guest-kernel-writes",
        "do system calls that write to shared pages leave the other process's unchanged?",
        "kernel_writes",
        points=2,
    ),
    GuestProgram(
        "guest-read-only",
        "is read-only memory the same for all processes, and protected?",
        "read_only",
        points=1,
    ),
]

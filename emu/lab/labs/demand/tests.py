"""The graded tests of the lab ``demand``."""

from __future__ import annotations

import random

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.question import prepare
from emu.lab.graded.submission import Test
from emu.lab.graded.test_kinds import EveryAllocation, RandomOperations, Script
from emu.lab.simulation.initial_layout import DATA, FAR, HEAP, STACK_PAGES, STACK_TOP
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
    Unmap,
)

_POLICY = "cow"
_PAGE = 0x1000
_R, _RW, _RX = 1, 3, 5
_AREA = 0x1000_0000
_TABLE = 0x20_0000
"""Bytes mapped by one leaf table."""
_ELSEWHERE = 0x1_0000_0000
"""An address with another middle table."""
_STACK = STACK_TOP - STACK_PAGES * _PAGE
_STACK_LIMIT = STACK_TOP - (8 << 20)
_GUARD = 256 * _PAGE

_PLACES = (
    *(HEAP + number * _PAGE for number in range(10)),
    *(_AREA + _TABLE + number * _PAGE for number in range(-3, 3)),
    *(_STACK - number * _PAGE for number in range(3)),
    _STACK_LIMIT - _PAGE,
    DATA,
)


def random_operation(source: random.Random) -> Operation:
    """A random operation of one of the first processes, mostly on memory that is remapped."""
    pid = source.randint(1, 3)
    va = source.choice(_PLACES) + source.randrange(_PAGE)
    first, pages = _AREA + _TABLE + source.randint(-4, 1) * _PAGE, source.randint(1, 5)
    kinds: list[Operation] = [
        Store(pid, va, source.randrange(256)),
        Store(pid, source.choice(_PLACES[:10]), source.randrange(256)),
        Load(pid, va),
        Load(pid, source.choice(_PLACES[:10])),
        Read(pid, HEAP + source.randrange(5 * _PAGE), source.randint(1, 9000), 7),
        SetBreak(pid, source.randrange(12)),
        SetBreak(pid, source.randrange(12)),
        Map(pid, first, pages, source.choice((_RW, _RW, _R))),
        Map(pid, _AREA + _TABLE - 3 * _PAGE, 6, _RW),
        Unmap(pid, first, pages),
        Fork(pid),
        Exec(pid) if source.random() < 0.3 else Load(pid, va),
        Exit(pid) if source.random() < 0.3 else Fetch(pid, DATA),
    ]
    return source.choice(kinds)


TESTS: list[Test] = [
    Script(
        "only-what-is-touched",
        "does a large mapping get no frame before an access, and then one for each page?",
        _POLICY,
        [
            *(SetBreak(1, 2000), Map(1, _AREA, 5000, _RW), Store(1, _AREA + 0x123, 1)),
            *(Store(1, HEAP, 2), Store(1, HEAP + 1999 * _PAGE, 3), Load(1, HEAP + _PAGE)),
        ],
    ),
    Script(
        "zeroes-are-shared",
        "does a page that is only read map the frame of zeroes, in every process?",
        _POLICY,
        [
            *(Load(1, HEAP), Load(1, HEAP + 7 * _PAGE), Fork(1), Load(2, HEAP)),
            *(Load(2, HEAP + _PAGE), Map(2, _AREA, 2, _RX), Fetch(2, _AREA), Load(2, _AREA)),
            *(Exit(1), Exit(2)),
        ],
        points=8,
        asks=("zeroes-are-shared", "count-is-the-number-of-holders"),
    ),
    Script(
        "zero-frame-is-never-written",
        "does a store to a page that was read get a new frame?",
        _POLICY,
        [
            *(Load(1, HEAP), Load(1, HEAP + _PAGE), Store(1, HEAP, 5), Load(1, HEAP + _PAGE)),
            *(Read(1, HEAP + 0xFFE, 4, 6), Load(1, HEAP + 2 * _PAGE), Exit(1)),
        ],
        asks=(
            *("cow-is-readable-and-not-writable", "pages-and-mappings-agree", "isolation"),
            *("zero-filled-on-write", "zero-frame-is-zero"),
        ),
    ),
    Script(
        "zero-filled-on-write",
        "does the first store to a page get a new frame, and the next store none?",
        _POLICY,
        [Store(1, HEAP + 8, 1), Store(1, HEAP + 9, 2), Load(1, HEAP), Store(1, HEAP + _PAGE, 3)],
        asks=("zero-filled-on-write", "exact-pte-writes"),
    ),
    Script(
        "no-old-bytes",
        "are the old bytes of a reused frame invisible?",
        _POLICY,
        [
            prepare(Store(1, HEAP, 1), Store(1, HEAP + _PAGE, 2), Store(1, HEAP + 2 * _PAGE, 3)),
            prepare(SetBreak(1, 0), SetBreak(1, 8)),
            *(Store(1, HEAP + 4, 4), Store(1, HEAP + 0x1004, 5)),
        ],
        asks=("isolation",),
    ),
    Script(
        "rights-of-the-mapping",
        "does an access that its mapping forbids kill only its process?",
        _POLICY,
        [
            *(Map(1, _AREA, 1, _R), Map(1, _AREA + _PAGE, 1, 0), Map(1, _AREA + 0x2000, 1, _RW)),
            *(Fork(1), Fork(1), Fork(1), Store(2, _AREA, 1), Load(3, _AREA + _PAGE)),
            *(Store(4, _AREA + 0x2000, 1), Fetch(4, _AREA + 0x2000)),
            *(Load(1, _AREA), Store(1, _AREA, 1)),
        ],
        points=7,
        asks=("rights-are-the-mappings", "read-only-is-kept"),
    ),
    Script(
        "ends-of-mappings",
        "can a mapping's last byte be accessed, and not the byte after it?",
        _POLICY,
        [
            *(Map(1, _AREA, 2, _RW), Fork(1), Store(1, _AREA + 0x1FFF, 1)),
            *(Store(1, _AREA + 0x2000, 1), Load(2, _AREA), Load(2, _AREA - 1)),
        ],
        asks=("pages-and-mappings-agree",),
    ),
    Script(
        "stack-grows",
        "does the stack grow to the accessed page, and get a frame for that page only?",
        _POLICY,
        [
            *(Store(1, _STACK - 8, 1), Load(1, _STACK - _PAGE - 1), Fork(1)),
            *(Store(1, _STACK - 40 * _PAGE, 2), Load(1, _STACK - 30 * _PAGE)),
            *(Store(2, _STACK - 50 * _PAGE, 3), Store(2, _STACK - 3 * _PAGE, 4)),
        ],
        asks=("stack-grows",),
    ),
    Script(
        "stack-has-a-limit",
        "does the stack grow to its lowest page, and not below, nor near other mappings?",
        _POLICY,
        [
            *(Fork(1), Fork(1), Store(1, _STACK_LIMIT, 1), Store(1, _STACK_LIMIT - 1, 2)),
            *(Map(2, _STACK - 2 * _GUARD, 1, _RW), Store(2, _STACK - _GUARD + _PAGE, 3)),
            *(Store(2, _STACK - _GUARD, 4), Fetch(3, _STACK - 8)),
        ],
        asks=("stack-grows",),
    ),
    Script(
        "shrinking-gives-back",
        "does a smaller heap release every allocated page above its end, and no other?",
        _POLICY,
        [
            prepare(Store(1, HEAP + 2 * _PAGE, 1), Load(1, HEAP + 3 * _PAGE)),
            prepare(Store(1, HEAP + 0x7000, 2)),
            *(SetBreak(1, 4), SetBreak(1, 3), SetBreak(1, 2), Load(1, DATA), SetBreak(1, 8)),
            prepare(Load(1, HEAP + 2 * _PAGE), Load(1, FAR + 2 * _PAGE)),
        ],
        points=7,
    ),
    Script(
        "unmap-spans-tables",
        "does munmap find its pages in several tables, and skip missing tables?",
        _POLICY,
        [
            prepare(
                Map(1, _AREA, 3000, _RW), Store(1, _AREA + _PAGE, 1), Store(1, _AREA + 0x2000, 2)
            ),
            prepare(Store(1, _AREA + 2 * _TABLE, 3), Store(1, _AREA + 5 * _TABLE, 4)),
            prepare(Store(1, _AREA + 5 * _TABLE + _PAGE, 5), Map(1, _ELSEWHERE, 2, _RW)),
            Unmap(1, _AREA + 3 * _TABLE // 2, 300),
            *(
                prepare(Store(1, _ELSEWHERE, 6)),
                Unmap(1, _AREA + 0x2000, 5 * 512 - 1),
                Load(1, _ELSEWHERE),
            ),
            Unmap(1, _ELSEWHERE, 1),
        ],
        points=7,
    ),
    Script(
        "unmap-while-shared",
        "does unmapping in one process keep the pages of the other?",
        _POLICY,
        [
            *(prepare(Store(1, HEAP, 1), Load(1, HEAP + _PAGE), Fork(1)), SetBreak(2, 0)),
            *(Load(1, HEAP), prepare(Store(1, HEAP, 2), Fork(1)), SetBreak(1, 0), Load(3, HEAP)),
            prepare(Store(3, HEAP, 3)),
        ],
        asks=("isolation", "mapped-frames-are-in-use"),
    ),
    Script(
        "fork-then-exec",
        "is memory new after exec, and the parent's unchanged?",
        _POLICY,
        [
            *(prepare(Store(1, HEAP, 1)), Fork(1), Exec(2), Load(2, HEAP), Store(2, HEAP, 2)),
            *(Load(1, HEAP), prepare(Store(2, _STACK - 8, 3)), Exec(1), Load(1, HEAP)),
            *(Exit(2), Exit(1)),
        ],
        asks=("isolation",),
    ),
    EveryAllocation(
        "touch-runs-out",
        "does a store that finds no frame for the page or its table change nothing?",
        _POLICY,
        before=[Fork(1)],
        operation=Store(2, HEAP, 1),
        after=[Load(1, HEAP), Store(1, HEAP, 2), Exit(1)],
        points=5,
    ),
    EveryAllocation(
        "kernel-touch-runs-out",
        "can a process continue after a system call that found no frame?",
        _POLICY,
        before=[],
        operation=Read(1, HEAP + 0xFF0, 0x1020, 1),
        after=[Load(1, HEAP + 0xFF0), Load(1, HEAP + 2 * _PAGE), Store(1, HEAP, 2), Exit(1)],
        points=3,
    ),
    RandomOperations(
        "random-operations",
        "do many random operations succeed, in a large memory and a small one?",
        _POLICY,
        random_operation,
        points=8,
        sequences=16,
        frames=(256, 48),
    ),
    GuestProgram("brk", "can a program grow and shrink its heap?", "brk", points=3),
    GuestProgram("zero-page", "does a program read zeroes in every new page?", "zero_page", 3),
    GuestProgram("mappings", "do mmap and munmap work for a program?", "mappings", 2),
    GuestProgram("fork-exec", "can a program fork and exec?", "fork_exec", points=1),
    GuestProgram(
        "stack-overflow",
        "is endless recursion stopped?",
        "stack_overflow",
        points=1,
        memory=64 << 20,
    ),
]

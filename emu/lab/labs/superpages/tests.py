"""The graded tests of the lab ``superpages``."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.question import Preparation, prepare
from emu.lab.graded.submission import Test
from emu.lab.graded.test_kinds import EveryAllocation, RandomOperations, Script
from emu.lab.simulation.initial_layout import CONSTANTS, DATA, FAR, HEAP
from emu.lab.simulation.operations import (
    Exec,
    Exit,
    Fetch,
    Fork,
    Load,
    Map,
    Operation,
    Read,
    Store,
    Unmap,
)

_POLICY = "cow"
_PAGE = 0x1000
_RW, _RWX = 3, 7
_LARGE = 0x20_0000
_AREA = 0x1000_0000
_ELSEWHERE = 0x1_0000_0000
"""An address with another middle table."""
_SHARERS = 257
"""A count with the low byte 1."""
_FRAMES = 2048
"""The first process uses frames of the first 512; the others are three superpages."""

_START: list[Operation] = [Map(1, _AREA, 512, _RW), Store(1, _AREA + 5 * _PAGE, 1)]
"""Maps one superpage, and stores to it."""


def _script(
    name: str,
    question: str,
    operations: Sequence[Operation | Preparation],
    points: int = 5,
    asks: Collection[str] | None = None,
    about: Collection[int] = (),
) -> Script:
    return Script(name, question, _POLICY, operations, points, _FRAMES, asks, about)


def random_operation(source: random.Random) -> Operation:
    """A random operation of one of the first processes, mostly in or near superpages."""
    pid = source.randint(1, 3)
    places = [_AREA, _AREA + 7 * _PAGE, _AREA + _LARGE - _PAGE, _AREA + _LARGE, DATA, HEAP]
    va = source.choice(places) + source.randrange(_PAGE)
    first = _AREA + source.choice((0, 256, 508, 512)) * _PAGE
    kinds: list[Operation] = [
        Fork(pid),
        Store(pid, va, source.randrange(256)),
        Store(pid, va, source.randrange(256)),
        Load(pid, va),
        Read(pid, _AREA + _LARGE - source.randrange(9000), source.randint(1, 9000), 7),
        Map(pid, _AREA, 700, _RW),
        Map(pid, first, 512, _RW),
        Unmap(pid, first, source.choice((1, 6, 512))),
        Exit(pid) if source.random() < 0.4 else Store(pid, va, 2),
        Exec(pid) if source.random() < 0.2 else Store(pid, va, 3),
    ]
    return source.choice(kinds)


TESTS: list[Test] = [
    _script(
        "maps-two-mebibytes",
        "does one access map 2 MiB, and a page of 4 KiB where the mapping is smaller?",
        [
            *(Map(1, _AREA, 1100, _RW), Store(1, _AREA + 5 * _PAGE, 1), Load(1, _AREA)),
            *(Store(1, _AREA + _LARGE - 1, 2), Load(1, _AREA + _LARGE + 9 * _PAGE)),
            *(Store(1, _AREA + 2 * _LARGE, 3), Load(1, _AREA + 2 * _LARGE + _PAGE)),
        ],
        points=6,
    ),
    _script(
        "flags-are-those-given",
        "does a superpage have its mapping's rights, and a new middle table if needed?",
        [
            *(Map(1, _AREA, 512, _RWX), Fetch(1, _AREA), Map(1, _ELSEWHERE, 512, _RW)),
            *(Load(1, _ELSEWHERE + _PAGE), Store(1, _ELSEWHERE, 1), Exit(1)),
        ],
        asks=("rights-are-the-mappings", "pages-and-mappings-agree", "bits-are-kept"),
    ),
    _script(
        "no-old-bytes",
        "are the old bytes of all 512 frames invisible?",
        [
            prepare(*_START, Store(1, _AREA + 300 * _PAGE, 7), Store(1, _AREA + 511 * _PAGE, 8)),
            *(prepare(Unmap(1, _AREA, 512), Map(1, _AREA, 512, _RW)), Store(1, _AREA, 2)),
        ],
        asks=("isolation",),
    ),
    _script(
        "child-stores",
        "does the child's store copy one page, and leave the parent's superpage unchanged?",
        [
            prepare(*_START, Fork(1)),
            *(Store(2, _AREA + 5 * _PAGE + 1, 2), Load(1, _AREA + 5 * _PAGE)),
            *(Store(2, _AREA + 5 * _PAGE + 2, 3), Store(2, _AREA, 4), Load(1, _AREA)),
        ],
        points=8,
    ),
    _script(
        "parent-stores",
        "does the parent's store copy one page, and leave the child's superpage unchanged?",
        [
            *(prepare(*_START, Fork(1)), Store(1, _AREA + _LARGE - 1, 2), Load(2, _AREA)),
            Store(1, _AREA, 3),
        ],
        asks=("isolation", "copied-on-write"),
        about=(_AREA, _AREA + _LARGE - _PAGE),
    ),
    _script(
        "sole-owner-reuse",
        "does the last user of all 512 frames keep the whole superpage, without a copy?",
        [
            *(prepare(*_START, Fork(1), Exit(2)), Store(1, _AREA, 2), Store(1, _AREA + _PAGE, 3)),
            *(prepare(Fork(1), Exit(1)), Store(3, _AREA + 9 * _PAGE, 4)),
        ],
        points=7,
    ),
    _script(
        "sole-owner-of-a-part",
        "is a superpage split if others use some of its frames, and only an unshared page reused?",
        [
            *(prepare(*_START, Fork(1), Store(2, _AREA, 2)), Store(1, _AREA, 3), Load(2, _AREA)),
            prepare(Store(1, _AREA + _PAGE, 4), Store(2, _AREA + _PAGE, 5), Exit(2)),
            *(Store(1, _AREA + 2 * _PAGE, 6), Exit(1)),
        ],
        points=7,
        asks=("sole-owner-reuse", "exact-copies"),
    ),
    _script(
        "last-page-is-shared",
        "are the counts of all 512 frames checked before a superpage is reused?",
        [
            *(prepare(*_START, Fork(1), Unmap(2, _AREA, 511)), Store(1, _AREA, 2)),
            *(Load(2, _AREA + 511 * _PAGE), Store(1, _AREA + 511 * _PAGE, 3)),
        ],
        asks=("shared-is-not-writable", "isolation"),
    ),
    _script(
        "small-pages-too",
        "are pages of 4 KiB copied and reused as in lab 4, and stores to read-only ones refused?",
        [
            *(Fork(1), Store(2, DATA, 1), Store(1, DATA, 2), Store(1, FAR, 3), Store(2, FAR, 4)),
            *(Load(1, HEAP), Store(1, HEAP, 5), Store(2, CONSTANTS, 6), Load(1, CONSTANTS)),
        ],
        asks=("sole-owner-reuse", "read-only-is-kept"),
        about=(CONSTANTS,),
    ),
    Script(
        "257-sharers",
        "is a small page copied if more than 255 processes share it?",
        _POLICY,
        [Fork(1, _SHARERS - 1), Store(1, DATA, 1), Store(2, DATA, 2)],
        points=2,
        frames=_SHARERS * 9,
        asks=("shared-is-not-writable",),
        about=(DATA,),
    ),
    _script(
        "fork-again",
        "can memory that is already shared, or was split, be forked again?",
        [
            *(prepare(*_START, Fork(1), Fork(2)), Store(3, _AREA, 2), Store(1, _AREA, 3), Fork(3)),
            *(Store(4, _AREA, 4), Store(4, _AREA + _PAGE, 5), Exit(1), Store(2, _AREA, 6)),
            *(Exit(3), Exit(2), Store(4, _AREA + 2 * _PAGE, 7), Exit(4)),
        ],
        points=6,
        asks=(),
    ),
    _script(
        "split-changes-nothing",
        "are the pages after a split the same as before, with all their flags?",
        [
            prepare(Map(1, _AREA, 512, _RWX), Store(1, _AREA, 1), Store(1, _AREA + _PAGE, 2)),
            *(Unmap(1, _AREA, 1), Fetch(1, _AREA + _PAGE), Store(1, _AREA + 2 * _PAGE, 3)),
            *(Unmap(1, _AREA + 300 * _PAGE, 500), Load(1, _AREA + 299 * _PAGE), Exit(1)),
        ],
        points=6,
    ),
    _script(
        "unmap-while-shared",
        "does unmapping a part in one process keep the other's superpage?",
        [
            *(
                prepare(*_START, Fork(1)),
                Unmap(2, _AREA + 5 * _PAGE, 1),
                Load(1, _AREA + 5 * _PAGE),
            ),
            prepare(Store(2, _AREA, 2), Store(1, _AREA + 5 * _PAGE, 3), Exit(1), Exit(2)),
        ],
    ),
    _script(
        "kernel-writes",
        "does a write by the kernel split, and copy every page in its range?",
        [
            *(prepare(*_START, Fork(1)), Read(2, _AREA + 0xFF0, 0x1020, 2), Load(1, _AREA + _PAGE)),
            *(prepare(Map(1, _AREA + _LARGE, 512, _RW)), Read(1, _AREA + _LARGE - 4, 8, 3)),
        ],
        asks=("isolation", "exact-copies"),
    ),
    _script(
        "no-run-is-free",
        "does an access that finds no free 2 MiB still get a page of 4 KiB?",
        [
            *(prepare(Map(1, _AREA, 2560, _RW)), Store(1, _AREA, 1), Store(1, _AREA + _LARGE, 2)),
            *(Store(1, _AREA + 2 * _LARGE, 3), Store(1, _AREA + 3 * _LARGE, 4)),
            *(Load(1, _AREA + 4 * _LARGE), Fork(1), Exit(1), Exit(2)),
        ],
        asks=(),
    ),
    EveryAllocation(
        "map-runs-out",
        "does an access that finds no frame, at any allocation, leave no frame in use?",
        _POLICY,
        before=[Map(1, _ELSEWHERE, 512, _RW)],
        operation=Store(1, _ELSEWHERE, 1),
        after=[Exit(1)],
        points=4,
        frames=_FRAMES,
    ),
    EveryAllocation(
        "split-runs-out",
        "does a store that finds no frame for the table or the page kill only its process?",
        _POLICY,
        before=[*_START, Fork(1), Fork(1)],
        operation=Store(2, _AREA + 5 * _PAGE, 2),
        after=[Load(1, _AREA), Store(3, _AREA, 2), Exit(1), Store(3, _AREA + _PAGE, 3), Exit(3)],
        points=4,
        frames=_FRAMES,
    ),
    EveryAllocation(
        "kernel-write-runs-out",
        "can a process continue after a system call that found no frame?",
        _POLICY,
        before=[*_START, Fork(1)],
        operation=Read(2, _AREA + 0xFF0, 0x1020, 1),
        after=[Load(2, _AREA), Store(2, _AREA + 2 * _PAGE, 2), Store(1, _AREA, 3), Exit(1)],
        points=3,
        frames=_FRAMES,
    ),
    RandomOperations(
        "random-operations",
        "do many random operations succeed, in a large memory and a small one?",
        _POLICY,
        random_operation,
        points=4,
        sequences=6,
        length=30,
        frames=(_FRAMES, 1100),
    ),
    GuestProgram(
        "large-pages", "does a program with 2 MiB pages read what it wrote?", "large_pages", 2
    ),
    GuestProgram("isolation", "do processes see only their own stores?", "isolation", 1),
]

"""The graded tests of the lab ``frames``."""

from __future__ import annotations

import random
from collections.abc import Sequence

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.submission import Test
from emu.lab.graded.test_kinds import RandomOperations, Script
from emu.lab.labs.frames.allocator_tests import Calls, LargeMemory, ManySharers, RandomCalls
from emu.lab.labs.frames.call_sequences import FREE_FRAME, Call, Name
from emu.lab.simulation.initial_layout import DATA, FAR, HEAP, SHARED
from emu.lab.simulation.operations import Exec, Exit, Fork, Load, Operation, Store

_TAKE, _TABLE = Call("allocate"), Call("allocate_table")
_FRAMES = 8
_ALL = [_TAKE] * (_FRAMES - 1)
"""One of the 8 frames of memory is the frame of zeroes."""


def _share(of: int) -> Call:
    return Call("share", of)


def _release(of: int) -> Call:
    return Call("release", of)


def _count(of: int) -> Call:
    return Call("count", of)


_NAMES: tuple[Name, ...] = (
    *("allocate", "allocate", "allocate_table", "share", "share"),
    *("release", "release", "release", "release", "count"),
)


def random_call(source: random.Random, before: Sequence[Call]) -> Call:
    """A call about one of the frames that were allocated last, or a new allocation."""
    name = source.choice(_NAMES)
    allocations = [
        at for at, call in enumerate(before, 1) if call.name in ("allocate", "allocate_table")
    ]
    if name in ("allocate", "allocate_table") or not allocations:
        return Call("allocate_table" if name == "allocate_table" else "allocate")
    fails = name in ("share", "release") and source.random() < 0.15
    return Call(name, source.choice(allocations[-20:]), fails)


def random_operation(source: random.Random) -> Operation:
    """Operations that allocate and release frames."""
    pid = source.randint(1, 5)
    va = source.choice((DATA, FAR, FAR + 0x1000, HEAP, SHARED))
    kinds: list[Operation] = [Fork(pid), Store(pid, va, source.randrange(256)), Load(pid, va)]
    if source.random() < 0.4:
        kinds += [Exit(pid), Exec(pid)]
    return source.choice(kinds)


TESTS: list[Test] = [
    Calls(
        "allocate",
        "is each frame from the first to the last allocated once, and no other frame?",
        [[_TAKE], [_TAKE, _TAKE, _count(1), _count(2)], _ALL],
    ),
    Calls(
        "not-all-of-memory",
        "are frames outside your range never allocated?",
        [[_TAKE] * (_FRAMES - 5), [_TAKE] * (_FRAMES - 4)],
        reserved=3,
        asks=("frames-exist",),
    ),
    Calls(
        "release",
        "is a frame free after its only user has released it, and allocated again?",
        [
            [_TAKE, _release(1), _count(1)],
            [*_ALL, _release(3), _TAKE],
            [*_ALL, *(_release(n) for n in range(1, _FRAMES)), *_ALL],
        ],
    ),
    Calls(
        "share",
        "is a shared frame in use until its last user has released it?",
        [
            [_TAKE, _share(1), _count(1), _release(1), _count(1), _release(1), _count(1)],
            [*_ALL, _share(5), _release(5), _release(6), _TAKE, _release(5), _TAKE],
            [_TAKE, _share(1), _share(1), _TAKE, _release(1), _TAKE, _TAKE, _release(1), _TAKE],
        ],
    ),
    Calls(
        "tables-are-zero",
        "is a page table filled with zeroes, also if the frame was used before?",
        [
            [_TABLE, _TABLE, _count(1)],
            [*_ALL, _release(4), _TABLE],
            [*[_TABLE] * (_FRAMES - 1), _release(4), _release(6), _TABLE, _TABLE],
        ],
        points=10,
        asks=("tables-are-zero",),
    ),
    Calls(
        "count-anew",
        "does a frame that is allocated again have one user, without its former ones?",
        [
            [_TAKE, _share(1), _share(1), *[_release(1)] * 3, _TAKE, _count(7)],
            [*_ALL, _share(1), _share(1), *[_release(1)] * 3, _TAKE, _count(_FRAMES + 5)],
            [*_ALL, _release(2), _TABLE, _count(_FRAMES + 1), _share(_FRAMES + 1)],
        ],
    ),
    Calls(
        "tables-are-counted",
        "are page tables shared and released like other frames?",
        [[_TABLE, _share(1), _TABLE, _release(1), _count(1), _release(1), _TAKE, _TAKE]],
    ),
    Calls(
        "running-out",
        "is OutOfFrames raised when no frame is free, and do later calls succeed?",
        [
            [*_ALL, _TAKE],
            [*_ALL, _TABLE, _TAKE, _count(1), _release(5), _TABLE, _TABLE],
            [*_ALL, _TAKE, _TAKE, _TABLE, *(_release(n) for n in range(1, _FRAMES)), *_ALL, _TAKE],
        ],
        points=10,
        asks=("running-out",),
    ),
    Calls(
        "release-of-a-free-frame",
        "is the release of a free frame refused?",
        [
            [Call("release", FREE_FRAME, fails=True), *_ALL],
            [_TAKE, _release(1), Call("release", 1, fails=True), _count(1)],
            [_TAKE, _share(1), _release(1), _release(1), Call("release", 1, fails=True)],
            [*_ALL, _release(7), Call("release", 7, fails=True), _TAKE, _TAKE],
            [*_ALL, _release(7), Call("release", 7, fails=True), _TABLE, _count(1), _TABLE],
        ],
        asks=("release-of-a-free-frame",),
    ),
    Calls(
        "share-of-a-free-frame",
        "is the sharing of a free frame refused?",
        [
            [Call("share", FREE_FRAME, fails=True), *_ALL],
            [_TAKE, _release(1), Call("share", 1, fails=True), _count(1), _TAKE, _TAKE],
            [_TAKE, _release(1), Call("share", 1, fails=True), _count(1), *_ALL, _TAKE],
        ],
        asks=("share-of-a-free-frame",),
    ),
    ManySharers("300-sharers", "can a frame have more than 255 users?", 300),
    ManySharers("70000-sharers", "can a frame have more than 65,535 users?", 70_000),
    LargeMemory("large-memory", "is a large memory allocated fast enough?", 65_536),
    RandomCalls("random-calls", "do many random calls give correct results?", random_call),
    Script(
        "forks-and-exits",
        "does a kernel that forks get its frames from you, and release all of them?",
        "cow",
        [
            *(Fork(1), Fork(1), Fork(2), Store(2, DATA, 1), Store(4, DATA, 2), Store(1, HEAP, 3)),
            *(Exit(3), Exec(2), Exit(1), Store(4, FAR, 4), Exit(2), Exit(4)),
        ],
    ),
    RandomOperations(
        "random-processes",
        "do many random processes run correctly, in a large memory and a small one?",
        "cow",
        random_operation,
        points=9,
        sequences=6,
    ),
    GuestProgram("isolation", "does a program run on your frames?", "isolation"),
    GuestProgram("fork-tree", "does a tree of processes run on your frames?", "fork_tree"),
]

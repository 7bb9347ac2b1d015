"""Generators of random operations."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emu.lab.simulation.initial_layout import (
    CONSTANTS,
    DATA,
    FAR,
    HEAP,
    SEALED,
    SHARED,
    STACK_TOP,
    TEXT,
)
from emu.lab.simulation.operations import Exec, Exit, Fork, Load, Operation, Read, SetBreak, Store
from emu.machine.pte import PAGE_SIZE

WRITABLE = (DATA, DATA + PAGE_SIZE, FAR, FAR + PAGE_SIZE, STACK_TOP - PAGE_SIZE, HEAP)
"""Private writable pages: few, so that processes access the same ones."""
OTHERS = (TEXT, CONSTANTS, SEALED, SHARED)

OperationMaker = Callable[[random.Random, int], Operation]
"""Returns an operation of the process with that number."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Chooses one of ``kinds`` and one of the first ``processes``; repeat a kind to weight it."""

    kinds: Sequence[OperationMaker]
    processes: int = 4

    def __call__(self, source: random.Random) -> Operation:
        pid = source.randint(1, self.processes)
        return source.choice(self.kinds)(source, pid)


def fork(_source: random.Random, pid: int) -> Operation:
    return Fork(pid)


def exit_process(_source: random.Random, pid: int) -> Operation:
    return Exit(pid)


def execute(_source: random.Random, pid: int) -> Operation:
    return Exec(pid)


def set_break(source: random.Random, pid: int) -> Operation:
    return SetBreak(pid, source.randrange(4))


def load(source: random.Random, pid: int) -> Operation:
    return Load(pid, source.choice((*WRITABLE, *OTHERS)) + source.randrange(PAGE_SIZE))


def store(source: random.Random, pid: int) -> Operation:
    at = source.choice(WRITABLE) + source.randrange(PAGE_SIZE)
    return Store(pid, at, source.randrange(256))


def store_anywhere(source: random.Random, pid: int) -> Operation:
    """A store that may also be to a read-only page or shared memory."""
    at = source.choice((*WRITABLE, *OTHERS)) + source.randrange(PAGE_SIZE)
    return Store(pid, at, source.randrange(256))


def kernel_write(source: random.Random, pid: int) -> Operation:
    """A write by the kernel from near the end of a page, so that most span several pages."""
    at = source.choice(WRITABLE) + 0xFF0
    return Read(pid, at, source.randint(1, 9000), source.randrange(256))

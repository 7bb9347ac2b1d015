"""The cases of fuzz.c, generated from the same random numbers in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from emu.machine.pte import PPN_MASK, RSW0, RSW1, VA_MASK, A, D, G, R, U, V, W, X, make_pte
from emu.machine.ram import Ram
from emu.machine.sv39 import Privilege

TABLES = 6
INDICES = (0, 1, 255, 256, 511)
ACCESSES = 10
DIGEST_EVERY = 16

RAM_SIZE = 16 << 20
ARENA_SIZE = 0x401000
TABLES_PPN = 0x80600
STUB_PPN = 0x80800
STUB_INDEX = 64
STUB_VA = STUB_INDEX << 30

_RAM_PPN = 0x80000
_OUTSIDE = (0x200, 0x81000, 0xC0000, PPN_MASK)
_ILLEGAL = (0x0B, 0x2B, 0x5B, 0x7B, 0x6B, 0x77, 0x3F, 0x7F)
_BYTES = tuple(_ILLEGAL[n & 7] | (n & 8) << 4 for n in range(16))
_POINTER_SLIPS = (V, W, U, A, D, RSW0)
_RIGHTS = (R, R | W, X, R | X, R | W | X, R | W | X)
_LEAF_SLIPS = (V, R, W, X, A, D, RSW0, RSW1)
_AGES = (0, A, D, A | D)


class Kind(Enum):
    LOAD = "load"
    STORE = "store"
    AMO = "amo"
    LOAD_RESERVED = "lr"
    FETCH = "fetch"


KINDS = (
    *((Kind.LOAD, 1 << n) for n in range(4)),
    *((Kind.STORE, 1 << n) for n in range(4)),
    *((Kind.AMO, 4), (Kind.AMO, 8), (Kind.LOAD_RESERVED, 4), (Kind.LOAD_RESERVED, 8)),
    (Kind.FETCH, 2),
)


@dataclass(frozen=True)
class Request:
    """One access: kind, address, and state of the hart."""

    kind: Kind
    size: int
    va: int
    privilege: Privilege
    sum: bool
    mxr: bool
    root: int
    value: int
    pc: int
    """Start address: that of the instruction that does the access, or, for a fetch, va."""


def mix(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & VA_MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & VA_MASK
    return z ^ z >> 31


def spread(random: int) -> int:
    """Eight bytes that contain no valid instruction."""
    return int.from_bytes(bytes(_BYTES[random >> 4 * n & 15] for n in range(8)), "little")


def fresh_arena() -> bytes:
    """Initial contents of the arena: ``spread(mix(n))`` as word n."""
    z = np.arange(ARENA_SIZE // 8, dtype=np.uint64)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    nibbles = z[:, None] >> np.arange(0, 32, 4, dtype=np.uint64) & np.uint64(15)
    return np.array(_BYTES, dtype=np.uint8)[nibbles].tobytes()


def arena_digest(ram: Ram) -> int:
    words = np.frombuffer(ram.bytes, dtype=np.uint64, count=ARENA_SIZE // 8)
    return int((words * np.arange(1, 2 * len(words), 2, dtype=np.uint64)).sum(dtype=np.uint64))


class Case:
    """Case ``number`` of ``seed``: its page tables, and its sequence of accesses."""

    def __init__(self, seed: int, number: int) -> None:
        self._state = (mix(seed) + number) & VA_MASK
        self.entries = {
            (table, i): self._pte() for table in range(TABLES) for i in range(len(INDICES))
        }

    def digest(self) -> int:
        digest = 0
        for pte in self.entries.values():
            digest = mix(digest ^ pte)
        return digest >> 32

    def _next(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & VA_MASK
        return mix(self._state)

    def _below(self, n: int) -> int:
        return (self._next() >> 32) * n >> 32

    def _pte(self) -> int:
        flags = V
        if self._below(2):
            if not self._below(4):
                flags |= G
            frame = TABLES_PPN + self._below(TABLES)
            if not self._below(12):
                flags ^= _POINTER_SLIPS[self._below(6)]
        else:
            if self._below(4):
                flags |= U
            flags |= _RIGHTS[self._below(6)]
            flags |= _AGES[self._below(4)]
            where = self._below(4)
            frame = _RAM_PPN + (self._below(1024) if where == 3 else 512 if where == 2 else 0)
            if not self._below(12):
                flags ^= _LEAF_SLIPS[self._below(8)]
        if not self._below(32):
            frame = _OUTSIDE[self._below(4)]
        if not self._below(32):
            flags |= 1 << 54 + self._below(10)
        return make_pte(frame, flags)

    def _va(self, size: int, *, aligned: bool) -> int:
        va = self._below(4096) if self._below(2) else 4088 + self._below(8)
        for level in range(3):
            va |= INDICES[self._below(len(INDICES))] << 12 + 9 * level
        if va >> 38:
            va |= VA_MASK >> 39 << 39
        if not self._below(20):
            va ^= 1 << 38 + self._below(26)
        return va & -size if aligned else va

    def request(self) -> Request:
        number = min(self._below(16), len(KINDS) - 1)
        kind, size = KINDS[number]
        aligned = kind not in (Kind.LOAD, Kind.STORE)
        va = self._va(size, aligned=aligned)
        privilege = Privilege(self._below(2))
        sum_, mxr = bool(self._below(2)), bool(self._below(2))
        root = self._below(16)
        if root == 15:
            root = _OUTSIDE[self._below(4)]
        else:
            root = TABLES_PPN + (root if root < TABLES else 0)
        value = spread(self._next())
        stub = STUB_VA + 4096 * privilege + 8 * number
        pc = va if kind is Kind.FETCH else stub
        return Request(kind, size, va, privilege, sum_, mxr, root, value, pc)

"""Seals, which prevent changes of a file in memory (memfd_create(2), F_ADD_SEALS of fcntl(2))."""

from __future__ import annotations

from enum import IntFlag


class Seal(IntFlag):
    SEAL = 1
    SHRINK = 2
    GROW = 4
    WRITE = 8
    FUTURE_WRITE = 0x10
    EXEC = 0x20


ALL_SEALS = 0x3F
NO_WRITES = Seal.WRITE | Seal.FUTURE_WRITE
"""Seals that prevent write(2) and new writable shared mappings."""

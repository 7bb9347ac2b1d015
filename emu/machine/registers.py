"""Registers of a hart that belong to the running program: pc, x1-x31, f0-f31, fcsr."""

from __future__ import annotations

import ctypes

PC = 0
"""Index of pc. x1 to x31 have their own numbers as indices, so index 0 is free for it."""
RA, SP, GP, TP = 1, 2, 3, 4
FP = 8
A0, A1, A2, A3, A4, A5, A6, A7 = range(10, 18)
F0 = 32
FCSR = 64
COUNT = 65

NAMES = (
    *("pc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"),
    *("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"),
    *("s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"),
    *(f"f{n}" for n in range(32)),
    "fcsr",
)

Words = ctypes.c_uint64 * COUNT


class Registers:
    """A saved register file. ``registers[SP]`` reads and writes one; values are unsigned 64 bit."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        self.words = Words()

    def __getitem__(self, index: int) -> int:
        return self.words[index]

    def __setitem__(self, index: int, value: int) -> None:
        self.words[index] = value

    def copy(self) -> Registers:
        other = Registers()
        ctypes.memmove(other.words, self.words, ctypes.sizeof(Words))
        return other

"""Starts of functions in a file without symbols, found by its calls and its stack frames."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from emu.machine.isa.compressed import expand
from emu.machine.isa.decoder import JAL, JALR, j_immediate
from kernel.base.lazy_numpy import distinct, np

_JAL_RA = 0x0EF
_NOP, _EBREAK = 0x13, 0x10_0073
_RD = 0x1F << 7


class Starts:
    """Starts of the functions in ``code``, which is at ``address``.

    An address counts as one if a call goes there or if a frame is made there, and if the
    instruction before it jumps elsewhere or may not return. Halves of other instructions may look
    like a call, but hardly like all of that.
    """

    def __init__(self, code: bytes, address: int) -> None:
        self._found = [address + at for at in _starts(code)]

    def before(self, address: int) -> int | None:
        """The nearest start at or before ``address``."""
        index = bisect_right(self._found, address)
        return self._found[index - 1] if index else None


def _starts(code: bytes) -> list[int]:
    halves = np.frombuffer(code, "<u2", len(code) // 2)
    if len(halves) < 4:
        return []
    calls = np.flatnonzero(halves[:-1] & 0xFFF == _JAL_RA)
    targets = calls + (j_immediate(_words(halves, calls)) >> 1)
    indices = np.concatenate([targets, _frames(halves)])
    indices = distinct(indices[(indices >= 2) & (indices < len(halves))])
    long, short = _words(halves, indices - 2), _base_forms(halves[indices - 1])
    # A c.jalr calls a function pointer; functions that never return are called directly.
    ends = _may_end_code(long) | (_may_end_code(short) & (short & _RD == 0))
    found: list[int] = (2 * indices[ends]).tolist()
    return found


def _words(halves: Any, indices: Any) -> Any:
    """The 32 bits at each index."""
    return halves[indices].astype(np.int64) | halves[indices + 1].astype(np.int64) << 16


def _frames(halves: Any) -> Any:
    """Indices of c.addi16sp, c.addi and addi that subtract from sp. All code is searched at once,
    so it is not decoded.
    """
    low, high = halves[:-1], halves[1:]
    short = low & 0xFF83
    addi = (low == 0x0113) & (high & 0x800F == 0x8001)
    return np.flatnonzero((short == 0x7101) | (short == 0x1101) | addi)


def _base_forms(halves: Any) -> Any:
    distinct, indices = np.unique(halves, return_inverse=True)
    return np.array([expand(half) for half in distinct.tolist()], np.int64)[indices]


def _may_end_code(word: Any) -> Any:
    """True for a jump or call, a trap, and a nop, which fills up before an aligned function."""
    jumps = (word & 0x7F == JAL) | (word & 0x707F == JALR)
    return jumps | (word == _EBREAK) | (word == _NOP)

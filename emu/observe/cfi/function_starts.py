"""Starts of functions in a file without symbols, found by its calls and its stack frames."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from emu.machine.isa.compressed import expand
from emu.machine.isa.decoder import JAL, JALR, j_immediate
from kernel.base.lazy_numpy import np

_JAL_RA = 0x0EF
_NOP, _EBREAK = 0x13, 0x10_0073
_RD = 0x1F << 7


class Starts:
    """Starts of the functions in ``code``, which lies at ``address``.

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
    half = np.frombuffer(code, "<u2", len(code) // 2)
    if len(half) < 4:
        return []
    calls = np.flatnonzero(half[:-1] & 0xFFF == _JAL_RA)
    targets = calls + (j_immediate(_words(half, calls)) >> 1)
    places = np.unique(np.concatenate([targets, _frames(half)]))
    places = places[(places >= 2) & (places < len(half))]
    long, short = _words(half, places - 2), _base_forms(half[places - 1])
    # A c.jalr calls a function pointer; functions that never return are called directly.
    ends = _may_end_code(long) | (_may_end_code(short) & (short & _RD == 0))
    found: list[int] = (2 * places[ends]).tolist()
    return found


def _words(half: Any, places: Any) -> Any:
    """The 32 bits at each place."""
    return half[places].astype(np.int64) | half[places + 1].astype(np.int64) << 16


def _frames(half: Any) -> Any:
    """Places of c.addi16sp, c.addi and addi that subtract from sp. All code is searched at once, so
    they are compared undecoded.
    """
    low, high = half[:-1], half[1:]
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

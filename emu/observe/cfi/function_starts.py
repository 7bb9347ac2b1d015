"""Where functions begin that a stripped file has no symbols of: where its calls go to.

RISC-V unprivileged spec, "RV64I" and "C": jal, jalr, c.j, c.jr, c.ebreak, c.nop.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from kernel.base.lazy_numpy import np

_JAL_RA = 0x0EF


class Starts:
    """Those of ``code``, which lies at ``address``.

    A place counts to which a call goes, or which makes a frame, if what is before it goes elsewhere
    or may not return. Halves of other instructions may look like a call, but hardly like all that.
    """

    def __init__(self, code: bytes, address: int) -> None:
        self._found = [address + at for at in _starts(code)]

    def before(self, address: int) -> int | None:
        """The nearest that is not behind ``address``."""
        index = bisect_right(self._found, address)
        return self._found[index - 1] if index else None


def _starts(code: bytes) -> list[int]:
    half = np.frombuffer(code, "<u2", len(code) // 2)
    if len(half) < 4:
        return []
    calls = np.flatnonzero(half[:-1] & 0xFFF == _JAL_RA)
    targets = calls + (_reach(_words(half, calls)) >> 1)
    places = np.unique(np.concatenate([targets, _frames(half)]))
    places = places[(places >= 2) & (places < len(half))]
    last = half[places - 1].astype(np.int64)
    found: list[int] = (2 * places[_ends(last, _words(half, places - 2))]).tolist()
    return found


def _words(half: Any, places: Any) -> Any:
    """The 32 bits at each."""
    return half[places].astype(np.int64) | half[places + 1].astype(np.int64) << 16


def _frames(half: Any) -> Any:
    """What takes from sp: c.addi, c.addi16sp, addi."""
    low, high = half[:-1], half[1:]
    short = low & 0xFF83
    addi = (low == 0x0113) & (high & 0x800F == 0x8001)
    return np.flatnonzero((short == 0x7101) | (short == 0x1101) | addi)


def _ends(short: Any, long: Any) -> Any:
    """Whether what follows each can't be reached from it, or need not be."""
    leaves = (short & 0xF07F == 0x8002) | (short & 0xE003 == 0xA001)  # c.jr, c.j
    leaves |= (short == 0x9002) | (short == 0x0001)  # c.ebreak, c.nop that fills up
    return leaves | (long & 0x7F == 0x6F) | (long & 0x707F == 0x67)  # jal, jalr


def _reach(jal: Any) -> Any:
    """How far each jal goes, in bytes."""
    far = (jal >> 21 & 0x3FF) << 1 | (jal >> 20 & 1) << 11 | jal & 0xFF000
    return far - (jal >> 31 << 20)

"""Instructions for which a block of code needs a closer look: reserved encodings, and AMOs.

RV64GC reserves some encodings that the engine executes as instructions, since its decoder predates
the ratified ISA. A sweep of all 16-bit words, and of the 32-bit ones
by field, found these against qemu-riscv64; the engine raises an exception for every other encoding
that RV64GC reserves (unprivileged spec, "RVC Instruction Set Listings" and "Zihpm"):

* quadrant 0, funct3 100: a no-op in the engine, loads and stores in Zcb;
* quadrant 1, funct3 100, bits 12:10 = 111, bits 6:5 = 10 or 11: a no-op in the engine, c.mul and
  others in Zcb;
* reading hpmcounter3 to hpmcounter31: 0 in the engine; Linux forbids it (scounteren).

An AMO (unprivileged spec, "A" extension; not LR and SC) first misses as a read in the engine,
though its page fault is a store's.
"""

from __future__ import annotations

import re
from functools import cache


def _bytes(which: list[int]) -> bytes:
    return b"[" + re.escape(bytes(which)) + b"]"


def _low(quadrant: int, *, high: bool | None = None) -> bytes:
    """First bytes of the instructions of a quadrant; ``high`` selects the value of bit 6."""
    every = range(quadrant, 256, 4)
    return _bytes([each for each in every if high is None or bool(each & 0x40) is high])


_ALL = range(256)
_OTHERS = _bytes([each for each in range(3, 256, 4) if each & 0x7F not in (0x2F, 0x73)])
_ATOMIC, _SYSTEM = rb"[\x2f\xaf]", rb"[\x73\xf3]"
_LR_OR_SC = _ATOMIC + b".." + _bytes([each for each in _ALL if each >> 3 in (2, 3)])
_COUNTER_FREE = b"|".join(
    (
        _bytes([each for each in _ALL if not each & 0x30]) + b"..",  # funct3 x00: no CSR
        b"." + _bytes([each for each in _ALL if each < 0x30]) + rb"\xc0",  # cycle, time, instret
        rb"..[^\xc0\xc1]",
    )
)
_PLAIN = (
    _low(1, high=False) + b".",
    _low(2) + b".",
    _low(0) + _bytes([each for each in _ALL if each >> 5 != 0b100]),
    _low(1, high=True) + _bytes([each for each in _ALL if each >> 2 != 0b100_111]),
    _OTHERS + b"...",
    _SYSTEM + b"(?:" + _COUNTER_FREE + b")",
)


def _any_of(*instructions: bytes) -> re.Pattern[bytes]:
    return re.compile(b"(?:" + b"|".join(instructions) + b")*+", re.DOTALL)


@cache
def _not_reserved() -> re.Pattern[bytes]:
    return _any_of(*_PLAIN, _ATOMIC + b"...")


is_plain = _any_of(*_PLAIN, _LR_OR_SC).fullmatch
"""Matches (code, start, end), whole instructions, if none of them is reserved or an AMO."""


def first_reserved(code: bytes) -> int | None:
    """Offset of the first reserved encoding in ``code``, whole instructions; None without one."""
    match = _not_reserved().match(code)
    end = match.end() if match else 0
    return end if end < len(code) else None

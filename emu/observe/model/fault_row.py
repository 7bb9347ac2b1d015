"""A page fault as a row of 64-bit words, which the machine's process writes while the guest waits.

A row has ``FIXED`` words, then the registers (32 words, x0 to x31) if it has them, the sharers of
the frame (pid and address of each), the pages mapped around (address and PTE of each), and the
stack from sp on. Word ``FLAGS`` holds the flags below, and small numbers from bit 16 on, 8 bits
each: the outcome's, the broken rule's, the cause, the words of the walk, the sharers.

:mod:`emu.observe.record.fault_rows` writes rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from emu.machine.sv39 import Rule
from emu.observe.model.raw_events import CodeLocation, Fault, FaultDetails, RangeDefined, Rows
from emu.observe.model.records import Range
from kernel.mm.outcome import Outcome

LENGTH: Final = 0
"""Index of the word with the number of words of the row."""
SEQ: Final = 1
TIME: Final = 2
PID: Final = 3
TID: Final = 4
FLAGS: Final = 5
LAYOUT: Final = 6
PC: Final = 7
CODE: Final = 8
STVAL: Final = 9
VMA: Final = 10
"""Number of the range, which a :class:`emu.observe.model.raw_events.RangeDefined` gave before."""
PTE_BEFORE: Final = 11
PTE_AFTER: Final = 12
COUNT_BEFORE: Final = 13
COUNT_AFTER: Final = 14
HOST_NS: Final = 15
SIGRETURN: Final = 16
WALK: Final = 17
"""The first of 6 words: an address and a PTE for each level."""
AROUND: Final = 23
"""Number of pages mapped around."""
STACK: Final = 24
"""Number of words of the stack; or the number of the backtrace, if the writer knows it."""
FIXED: Final = 25

ACCESS: Final = 3
"""Mask of the access's number."""
INEXACT: Final = 1 << 2
LOADING: Final = 1 << 3
TABLE_COPIED: Final = 1 << 4
MIDDLE_COPIED: Final = 1 << 5
HUGE: Final = 1 << 6
SPLIT: Final = 1 << 7
OF_PROGRAM: Final = 1 << 8
"""The fault is the program's, with the instruction ``CODE``; else the kernel's."""
NO_CODE: Final = 1 << 9
"""The instruction cannot be fetched."""
IN_VMA: Final = 1 << 10
HAS_SIGRETURN: Final = 1 << 11
HAS_STACK: Final = 1 << 12
"""The row has a stack."""
HAS_DETAILS: Final = 1 << 13
"""The event before the row is a :class:`FaultDetails`."""
HAS_REGISTERS: Final = 1 << 14
HAS_BACKTRACE: Final = 1 << 15
"""The word ``STACK`` is the number of a known backtrace."""
OUTCOME_SHIFT: Final = 16
RULE_SHIFT: Final = 24
CAUSE_SHIFT: Final = 32
WALK_SHIFT: Final = 40
SHARERS_SHIFT: Final = 48
BYTE: Final = 0xFF

REGISTERS: Final = 32
MAX_SHARERS: Final = 16
"""Maximum number of sharers in a record; the frame's count has their true number."""
MAX_AROUND: Final = 512
MAX_STACK: Final = 1 << 11
MAX_WORDS: Final = FIXED + REGISTERS + 2 * (MAX_SHARERS + MAX_AROUND) + MAX_STACK
"""Maximum number of words of a row."""
WORD: Final = 8
_FIXED: Final = struct.Struct(f"<{FIXED}Q")
_OUTCOMES: Final = tuple(str(outcome) for outcome in Outcome)
_RULES: Final = tuple(rule.text for rule in Rule)


class RowReader:
    """Reads rows, with the events that precede them."""

    def __init__(self) -> None:
        self._ranges: dict[int, Range] = {}
        self._details: FaultDetails | None = None

    def note(self, event: RangeDefined | FaultDetails) -> None:
        """Takes an event that later rows refer to."""
        if isinstance(event, RangeDefined):
            self._ranges[event.number] = event.range
        else:
            self._details = event

    def read(self, rows: memoryview, word: int) -> Fault:
        """Returns the fault of the row at ``word``, an index of 64-bit words in ``rows``, bytes."""
        details, self._details = self._details, None
        return _read(rows, WORD * word, self._ranges, details)

    def read_all(self, rows: memoryview, which: Rows) -> Iterator[Fault]:
        at = which.start
        for _ in range(which.number):
            yield self.read(rows, at)
            at += int.from_bytes(rows[WORD * at : WORD * at + WORD], "little")


def _read(
    rows: memoryview, at: int, ranges: Mapping[int, Range], details: FaultDetails | None
) -> Fault:
    fixed = _FIXED.unpack_from(rows, at)
    flags, around_pages = fixed[FLAGS], fixed[AROUND]
    stack, backtrace = fixed[STACK], 0
    if flags & HAS_BACKTRACE:
        stack, backtrace = 0, stack
    at += WORD * FIXED
    where, call, heap = None, "", None
    if flags & HAS_DETAILS and details is not None:
        where, call, heap = details.where, details.call, details.heap
    registers = b""
    if flags & HAS_REGISTERS:
        registers = bytes(rows[at : at + WORD * REGISTERS])
        at += WORD * REGISTERS
    sharers, at = _pairs(rows, at, flags >> SHARERS_SHIFT & BYTE)
    around, at = _pairs(rows, at, around_pages)
    if where is None:
        where = CodeLocation(
            fixed[LAYOUT],
            fixed[PC],
            None if flags & (HAS_STACK | HAS_BACKTRACE) else [],
            "",
            registers,
            bytes(rows[at : at + WORD * stack]),
            fixed[SIGRETURN] if flags & HAS_SIGRETURN else None,
            backtrace,
        )
    code = -1 if flags & NO_CODE else fixed[CODE]
    return Fault(
        fixed[SEQ],
        fixed[TIME],
        fixed[PID],
        fixed[TID],
        where,
        code if flags & OF_PROGRAM else None,
        flags & ACCESS,
        flags >> CAUSE_SHIFT & BYTE,
        fixed[STVAL],
        flags & INEXACT != 0,
        _OUTCOMES[flags >> OUTCOME_SHIFT & BYTE],
        _RULES[flags >> RULE_SHIFT & BYTE],
        call,
        flags & LOADING != 0,
        ranges[fixed[VMA]] if flags & IN_VMA else None,
        flags & TABLE_COPIED != 0,
        flags & MIDDLE_COPIED != 0,
        flags & HUGE != 0,
        flags & SPLIT != 0,
        fixed[WALK : WALK + (flags >> WALK_SHIFT & BYTE)],
        fixed[PTE_BEFORE],
        fixed[PTE_AFTER],
        fixed[COUNT_BEFORE],
        fixed[COUNT_AFTER],
        around,
        sharers,
        heap,
        fixed[HOST_NS],
    )


def _pairs(rows: memoryview, at: int, number: int) -> tuple[list[tuple[int, int]], int]:
    """Returns ``number`` pairs of words from byte ``at`` on, and where they end."""
    if not number:
        return [], at
    end = at + 2 * WORD * number
    return list(struct.iter_unpack("<QQ", rows[at:end])), end

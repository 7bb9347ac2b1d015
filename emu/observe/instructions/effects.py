"""Effects of instructions, computed from rows of registers for many at once with NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emu.machine.pte import PAGE_MASK, PAGE_SIZE
from emu.machine.registers import A0
from emu.machine.unicorn_registers import PC_WORD, WORDS
from emu.observe.instructions.decode_table import ECALL, DecodeTable
from kernel.base.lazy_numpy import np

NO_REGISTER = 64
VALUE, ADDRESS, PHYSICAL, SECOND = range(4)
"""Columns of :attr:`Steps.numbers`; SECOND is the physical address of an access's second page."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Instructions that one thread has completed, in order; arrays with an entry for each.

    ``ids`` are those of :class:`DecodeTable`. ``registers`` has the changed register's index in a
    row, 1 to 31 for x1 to x31, 32 to 63 for f0 to f31, ``NO_REGISTER`` for none. ``used`` is true
    for the valid ones of ``numbers``.
    """

    ids: Any
    registers: Any
    numbers: Any
    used: Any


def steps(rows: Any, decoded: DecodeTable, frames: dict[int, int], end: int | None) -> Steps:
    """Effects of the instructions of all ``rows`` but the last, without those at ``end``."""
    count = len(rows) - 1
    ids = np.array([decoded.ids[pc] for pc in rows[:count, PC_WORD].tolist()], np.intp)
    table = decoded.table[ids]
    numbers = np.zeros((count, 4), np.uint64)
    used = np.zeros((count, 4), np.bool_)
    registers = _changes(rows, table, numbers[:, VALUE], used[:, VALUE])
    _accesses(rows, table, frames, numbers, used)
    if end is None:
        return Steps(ids, registers, numbers, used)
    selected = rows[:count, PC_WORD] != end
    return Steps(ids[selected], registers[selected], numbers[selected], used[selected])


def ecall_step(number: int, a0: int, result: int | None) -> Steps:
    """Effects of the ecall with id ``number``: ``result`` in a0, which was ``a0`` before."""
    numbers = np.array([[result or 0, 0, 0, 0]], np.uint64)
    used = np.array([[result not in (None, a0), False, False, False]])
    registers = np.where(used[:, VALUE], A0, NO_REGISTER)
    return Steps(np.array([number], np.intp), registers, numbers, used)


def _changes(rows: Any, table: Any, values: Any, used: Any) -> Any:
    """The register that each instruction changed. No instruction changes two."""
    count = len(table)
    at = np.arange(count)
    flat = rows.reshape(-1)
    differs = (flat[WORDS:] != flat[:-WORDS]).reshape(count, WORDS)
    registers = differs[:, :PC_WORD].argmax(axis=1)
    link = table["link"]
    ecalls = link == ECALL  # a signal's handler may begin after it
    registers[ecalls] = A0
    values[:] = rows[at + 1, registers]
    used[:] = differs[at, registers]
    jumps = np.flatnonzero(link >= 0)
    if len(jumps):  # the next row may be from long after, if the jump left the span
        registers[jumps] = link[jumps]
        values[jumps] = rows[jumps, PC_WORD] + table["length"][jumps]
        used[jumps] = (link[jumps] > 0) & (rows[jumps, link[jumps]] != values[jumps])
    registers[~used] = NO_REGISTER
    return registers


def _accesses(rows: Any, table: Any, frames: dict[int, int], numbers: Any, used: Any) -> None:
    at = np.flatnonzero(table["size"])
    if not len(at):
        return
    operands = table[at]
    addresses = rows[at, operands["base"]] + operands["offset"]
    numbers[at, ADDRESS] = addresses
    numbers[at, PHYSICAL] = _physical(addresses, frames)
    used[at, ADDRESS] = used[at, PHYSICAL] = True
    offsets = addresses & np.uint64(PAGE_MASK)
    across = np.flatnonzero(offsets + operands["size"] > PAGE_SIZE)
    if len(across):
        second = (addresses[across] | np.uint64(PAGE_MASK)) + np.uint64(1)
        numbers[at[across], SECOND] = _physical(second, frames)
        used[at[across], SECOND] = True


def _physical(addresses: Any, frames: dict[int, int]) -> Any:
    """Physical addresses; 0 where the TLB was not used, which a failed sc need not do."""
    pages = (addresses & ~np.uint64(PAGE_MASK)).tolist()
    found = np.array([frames.get(page, 0) for page in pages], np.uint64)
    return np.where(found != 0, found | addresses & np.uint64(PAGE_MASK), found)

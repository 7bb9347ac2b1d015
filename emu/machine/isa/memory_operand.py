"""The address that an instruction loads or stores: base register, offset and size.

The engine reports only the page of a faulting access, and an atomic's first miss as a load. The
exact stval, and whether an atomic faults as a store, are found by decoding the instruction at epc
(unprivileged spec, "Load and Store Instructions", "A", "F" and "D").
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from emu.machine.isa.decoder import AMO, LOAD, LOAD_FP, STORE, STORE_FP, Instruction, decode
from emu.machine.pte import PAGE_MASK, VA_MASK


class Kind(Enum):
    LOAD = auto()
    STORE = auto()
    LOAD_RESERVED = auto()
    STORE_CONDITIONAL = auto()
    AMO = auto()

    @property
    def faults_as_store(self) -> bool:
        """AMO and SC raise store faults even when the load part fails ("A" extension)."""
        return self in (Kind.STORE, Kind.STORE_CONDITIONAL, Kind.AMO)


class MemoryOperand(NamedTuple):
    """An access of ``size`` bytes at x[``base``] + ``offset``."""

    kind: Kind
    base: int
    offset: int
    size: int


_KINDS = {LOAD: Kind.LOAD, LOAD_FP: Kind.LOAD, STORE: Kind.STORE, STORE_FP: Kind.STORE}
_ATOMICS = {2: Kind.LOAD_RESERVED, 3: Kind.STORE_CONDITIONAL}
"""By funct5; all others are AMOs."""


def memory_operand(instruction: Instruction) -> MemoryOperand | None:
    """The access of a load, store or atomic; None for any other instruction."""
    opcode, _, width, base, _, funct7, offset, _ = instruction
    if opcode == AMO:
        return MemoryOperand(_ATOMICS.get(funct7 >> 2, Kind.AMO), base, 0, 1 << width)
    kind = _KINDS.get(opcode)
    return None if kind is None else MemoryOperand(kind, base, offset, 1 << (width & 3))


def operand_address(bits: int | None, x: Callable[[int], int]) -> int | None:
    """The address that a load, store or atomic accesses, with the integer registers ``x``; None
    for any other instruction, and for None.
    """
    operand = None if bits is None else memory_operand(decode(bits))
    if operand is None:
        return None
    base = x(operand.base) if operand.base else 0
    return (base + operand.offset) & VA_MASK


def stval(bits: int | None, x: Callable[[int], int], page: int) -> int:
    """The faulting address of a load or store that faulted on ``page``: that of its operand, or
    the start of the page if the access begins in the page before it.
    """
    address = operand_address(bits, x)
    if address is not None and address & ~PAGE_MASK == page:
        return address
    return page

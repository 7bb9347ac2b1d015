"""A look at the instruction that trapped: what it is, and which address it meant."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.cause import Access
from emu.machine.engine import Engine
from emu.machine.isa.memory_operand import instruction_length, memory_operand
from emu.machine.isa.reserved_encodings import first_reserved, is_free
from emu.machine.pte import PAGE_MASK, PAGE_SIZE, VA_MASK
from emu.machine.sv39 import Mmu, TranslationFault
from emu.machine.trap import Trap


def operand_address(bits: int | None, x: Callable[[int], int]) -> int | None:
    """The address that a load or store accesses, by the registers ``x``; None for another."""
    operand = None if bits is None else memory_operand(bits)
    if operand is None:
        return None
    base = x(operand.base) if operand.base else 0
    return (base + operand.offset) & VA_MASK


def stval(bits: int | None, x: Callable[[int], int], page: int) -> int:
    """Where a load or store faulted on ``page``: at its address, or where its second page begins
    if that is what faulted.
    """
    address = operand_address(bits, x)
    if address is not None and address & ~PAGE_MASK == page:
        return address
    return page


class Instructions:
    """What ``mmu`` lets the program execute; registers are those of ``engine``."""

    def __init__(self, engine: Engine, mmu: Mmu) -> None:
        self._engine = engine
        self._mmu = mmu
        self._pc = -1
        self._bits: int | None = None
        self._pages: dict[int, int] = {}
        """Where pages that can be fetched from begin in RAM, as a TLB would have it."""
        self.reserved = self._finder()
        """Address of the first reserved encoding in (address, bytes) of code, or None."""

    def forget(self) -> None:
        """The program runs on: what was seen may change."""
        self._pc = -1

    def forget_pages(self) -> None:
        """The page tables may have changed, or others are in use."""
        self._pages.clear()

    def bits(self, pc: int) -> int | None:
        """The bits of the instruction at ``pc``, 2 or 4 bytes; None when they can't be fetched."""
        if pc != self._pc:
            self._bits = self._read(pc)
            self._pc = pc
        return self._bits

    def _finder(self) -> Callable[[int, int], int | None]:
        """Returns a function for each new block; a program has 100,000, so it avoids ``self``."""
        pages, content = self._pages, self._mmu.ram.bytes

        def reserved(pc: int, size: int) -> int | None:
            start = pages.get(pc & ~PAGE_MASK)
            if start is not None:
                start += pc & PAGE_MASK
                if size <= PAGE_SIZE - (pc & PAGE_MASK) and is_free(content, start, start + size):
                    return None
            offset = first_reserved(self._code(pc, size))
            return None if offset is None else pc + offset

        return reserved

    def _code(self, pc: int, size: int) -> bytes:
        """Code bytes from ``pc`` on, as far as they can be fetched."""
        code = b""
        while len(code) < size:
            at = (pc + len(code)) & VA_MASK
            start = self._start(at & ~PAGE_MASK)
            if start is None:
                break
            start += at & PAGE_MASK
            count = min(size - len(code), PAGE_SIZE - (at & PAGE_MASK))
            code += self._mmu.ram.bytes[start : start + count]
        return code

    def _read(self, pc: int) -> int | None:
        if pc & PAGE_MASK < PAGE_MASK - 2:  # both halves are in one page, as mostly
            bits = self._fetch(pc, 4)
            return bits if bits is None or instruction_length(bits) == 4 else bits & 0xFFFF
        low = self._fetch(pc, 2)
        if low is None or instruction_length(low) == 2:
            return low
        high = self._fetch((pc + 2) & VA_MASK, 2)
        return None if high is None else high << 16 | low

    def faults_as_store(self, pc: int) -> bool:
        bits = self.bits(pc)
        operand = None if bits is None else memory_operand(bits)
        return operand is not None and operand.kind.faults_as_store

    def operand_address(self, pc: int) -> int | None:
        """The address that the load or store at ``pc``, where the program stands, accesses."""
        return operand_address(self.bits(pc), self._engine.read)

    def stval(self, trap: Trap) -> int:
        """Of a page fault at a load or store."""
        return stval(self.bits(trap.epc), self._engine.read, trap.page)

    def _fetch(self, va: int, size: int) -> int | None:
        start = self._start(va & ~PAGE_MASK)
        if start is None:
            return None
        start += va & PAGE_MASK
        return int.from_bytes(self._mmu.ram.bytes[start : start + size], "little")

    def _start(self, page: int) -> int | None:
        """RAM offset of the page; None when it cannot be fetched from."""
        start = self._pages.get(page)
        if start is None:
            translation = self._mmu.translate(page, Access.FETCH)
            if isinstance(translation, TranslationFault):
                return None
            start = self._pages[page] = translation.pa - self._mmu.ram.base
        return start

"""Reading the code that a hart executes, as its instruction fetch does."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.cause import Access
from emu.machine.engine import Engine
from emu.machine.isa.decoder import decode, instruction_length
from emu.machine.isa.memory_operand import memory_operand, operand_address, stval
from emu.machine.isa.reserved_encodings import first_reserved, is_free
from emu.machine.pte import PAGE_MASK, PAGE_SIZE, VA_MASK
from emu.machine.sv39 import Mmu, TranslationFault
from emu.machine.trap import Trap


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
        code = self._code(pc, min(4, PAGE_SIZE - (pc & PAGE_MASK)))
        length = instruction_length(code[0]) if code else 2
        if len(code) < length:  # the rest is in the next page, which is not to be touched otherwise
            code += self._code((pc + 2) & VA_MASK, 2)
        return int.from_bytes(code[:length], "little") if len(code) >= length else None

    def faults_as_store(self, pc: int) -> bool:
        bits = self.bits(pc)
        operand = None if bits is None else memory_operand(decode(bits))
        return operand is not None and operand.kind.faults_as_store

    def operand_address(self, pc: int) -> int | None:
        """The address that the load or store at ``pc``, where the program stands, accesses."""
        return operand_address(self.bits(pc), self._engine.read)

    def stval(self, trap: Trap) -> int:
        """Of a page fault at a load or store."""
        return stval(self.bits(trap.epc), self._engine.read, trap.page)

    def _start(self, page: int) -> int | None:
        """RAM offset of the page; None when it cannot be fetched from."""
        start = self._pages.get(page)
        if start is None:
            translation = self._mmu.translate(page, Access.FETCH)
            if isinstance(translation, TranslationFault):
                return None
            start = self._pages[page] = translation.pa - self._mmu.ram.base
        return start

"""Reads the code that a hart executes, as its instruction fetch does."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.cause import Access
from emu.machine.engine import Engine
from emu.machine.isa.decoder import decode, instruction_length
from emu.machine.isa.memory_operand import memory_operand, operand_address, stval
from emu.machine.isa.reserved_encodings import first_reserved, is_plain
from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, VA_MASK
from emu.machine.sv39 import Mmu, TranslationFault
from emu.machine.trap import Trap


class CodeReader:
    """Reads the code that ``mmu`` lets the program execute; registers are those of ``engine``.

    Pages are translated once, as by a TLB, and the last instruction is cached, so both caches must
    be dropped in time.
    """

    def __init__(self, engine: Engine, mmu: Mmu, on_amo: Callable[[int], None]) -> None:
        """``on_amo`` gets the PPN of each frame in which a new block has an AMO."""
        self._on_amo = on_amo
        self._engine = engine
        self._mmu = mmu
        self._pc = -1
        self._bits: int | None = None
        self._pages: dict[int, int] = {}
        """RAM offset of each translated page."""
        self.reserved = self._finder()
        """Maps (address, size in bytes) of a new block to the address of its first reserved
        encoding, or None; calls ``on_amo`` for an AMO in it."""

    def forget(self) -> None:
        """Drops the cached instruction; to be called when the hart runs again."""
        self._pc = -1

    def forget_pages(self) -> None:
        """Drops the translations, and the instruction, which was in one of them; to be called when
        the hart's TLB is flushed.
        """
        self._pages.clear()
        self._pc = -1

    def bits(self, pc: int) -> int | None:
        """The bits of the instruction at ``pc``, 2 or 4 bytes; None when they cannot be fetched."""
        if pc != self._pc:
            self._bits = self._read(pc)
            self._pc = pc
        return self._bits

    def _finder(self) -> Callable[[int, int], int | None]:
        """Makes the function, which avoids ``self``: it is called for each new block, 100,000 times
        in a program.
        """
        pages, content = self._pages, self._mmu.ram.bytes

        def reserved(pc: int, size: int) -> int | None:
            start = pages.get(pc & ~PAGE_MASK)
            if start is not None:
                start += pc & PAGE_MASK
                end = start + size
                if size <= PAGE_SIZE - (pc & PAGE_MASK) and is_plain(content, start, end):
                    return None
            code = self._code(pc, size)
            offset = first_reserved(code)
            if offset is None:
                if not is_plain(code):
                    self._report_amo(pc, size)
                return None
            return pc + offset

        return reserved

    def _report_amo(self, pc: int, size: int) -> None:
        for page in range(pc & ~PAGE_MASK, pc + size, PAGE_SIZE):
            start = self._start(page)
            if start is not None:
                self._on_amo((start + self._mmu.ram.base) >> PAGE_SHIFT)

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
        """The address that a load or store at the current pc accesses; None for others."""
        return operand_address(self.bits(pc), self._engine.read)

    def stval(self, trap: Trap) -> int:
        """The value of stval for a page fault of a load or store."""
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

"""A hart that reads each instruction from memory when it runs it: an oracle for code that changes.

A few RISC-V instructions, interpreted, over pages of memory. It caches nothing between
two instructions, so it cannot run stale code.
"""

from __future__ import annotations

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, VA_MASK

END, FETCH, ACCESS = "end", "fetch fault", "data fault"


class Unknown(Exception):
    """An instruction that the reference doesn't know."""


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> bits - 1 << bits)


class Reference:
    """``memory`` holds frames one after another; ``pages`` names each page's frame."""

    def __init__(self, memory: bytearray, pages: dict[int, int], executable: set[int]) -> None:
        self.memory = memory
        self.pages = pages
        self.executable = executable
        self.x = [0] * 32
        self.pc = 0
        self.steps = 0

    def run(self, limit: int) -> str | None:
        """Runs to an ecall or a fault; None after ``limit`` instructions."""
        for self.steps in range(1, limit + 1):
            self.x[0] = 0
            before = self.pc
            end = self._step()
            if end is not None:
                self.pc = before
                self.x[0] = 0
                return end
        return None

    def _places(self, va: int, size: int) -> list[int] | None:
        places = []
        for each in range(va, va + size):
            frame = self.pages.get((each & VA_MASK) >> PAGE_SHIFT)
            if frame is None:
                return None
            places.append(frame << PAGE_SHIFT | each & PAGE_MASK)
        return places

    def _load(self, va: int, size: int) -> int | None:
        places = self._places(va, size)
        if places is None:
            return None
        return int.from_bytes(bytes(self.memory[place] for place in places), "little")

    def _store(self, va: int, size: int, value: int) -> str | None:
        places = self._places(va, size)
        if places is None:
            return ACCESS
        for n, place in enumerate(places):
            self.memory[place] = value >> 8 * n & 0xFF
        return None

    def _half(self, va: int) -> int | None:
        return self._load(va, 2) if va >> PAGE_SHIFT in self.executable else None

    def _step(self) -> str | None:
        low = self._half(self.pc)
        if low is None:
            return FETCH
        if low & 3 != 3:
            self.pc = (self.pc + 2) & VA_MASK
            return self._compressed(low)
        high = self._half(self.pc + 2)
        if high is None:
            return FETCH
        pc, self.pc = self.pc, (self.pc + 4) & VA_MASK
        return self._full(high << 16 | low, pc)

    def _compressed(self, bits: int) -> str | None:
        kind, rd = (bits & 3) << 3 | bits >> 13, bits >> 7 & 0x1F
        immediate = signed(bits >> 7 & 0x20 | bits >> 2 & 0x1F, 6)
        if kind == 0b01_000 and (rd == 0) == (immediate == 0):  # c.addi, c.nop
            self.x[rd] = (self.x[rd] + immediate) & VA_MASK
            return None
        if kind == 0b00_110:  # c.sw
            offset = bits >> 7 & 0x38 | bits >> 4 & 4 | bits << 1 & 0x40
            base, value = self.x[8 + (bits >> 7 & 7)], self.x[8 + (bits >> 2 & 7)]
            return self._store((base + offset) & VA_MASK, 4, value)
        raise Unknown

    def _full(self, bits: int, pc: int) -> str | None:
        opcode, rd, funct3 = bits & 0x7F, bits >> 7 & 0x1F, bits >> 12 & 7
        one, two = self.x[bits >> 15 & 0x1F], self.x[bits >> 20 & 0x1F]
        immediate = signed(bits >> 20, 12)
        if opcode == 0x13 and funct3 == 0:  # addi
            self.x[rd] = (one + immediate) & VA_MASK
        elif opcode == 0x23 and funct3 < 4:  # sb, sh, sw, sd
            offset = signed(bits >> 25 << 5 | rd, 12)
            return self._store((one + offset) & VA_MASK, 1 << funct3, two)
        elif opcode == 0x03 and funct3 == 3:  # ld
            loaded = self._load((one + immediate) & VA_MASK, 8)
            if loaded is None:
                return ACCESS
            self.x[rd] = loaded
        elif opcode == 0x63 and funct3 < 2:  # beq, bne
            to = bits >> 31 << 12 | (bits >> 7 & 1) << 11
            to |= (bits >> 25 & 0x3F) << 5 | (bits >> 8 & 0xF) << 1
            if (one == two) == (funct3 == 0):
                self.pc = (pc + signed(to, 13)) & VA_MASK
        elif opcode == 0x6F:  # jal
            to = bits >> 31 << 20 | (bits >> 12 & 0xFF) << 12
            to |= (bits >> 20 & 1) << 11 | (bits >> 21 & 0x3FF) << 1
            self.x[rd] = self.pc
            self.pc = (pc + signed(to, 21)) & VA_MASK
        elif opcode == 0x67 and funct3 == 0:  # jalr
            self.x[rd], self.pc = self.pc, (one + immediate) & VA_MASK & ~1
        elif opcode == 0x2F and funct3 in (2, 3) and bits >> 27 == 0:  # amoadd
            size = 1 << funct3
            loaded = self._load(one, size)
            if one % size:
                raise Unknown
            if loaded is None:
                return ACCESS
            self._store(one, size, loaded + two)
            self.x[rd] = signed(loaded, 8 * size) & VA_MASK
        elif bits == 0x0000_0073:  # ecall
            return END
        elif bits != 0x0000_100F:  # fence.i
            raise Unknown
        return None

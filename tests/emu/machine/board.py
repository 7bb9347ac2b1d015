"""A machine for tests: a hart, RAM and one page table that maps what a test asks for.

Physical frames and virtual pages are named by small numbers: frame 0 is the first of RAM, page 1
is the virtual address 0x1000. The page table fills the first frames; a test's own start at
``FREE``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from emu.machine.cause import Cause
from emu.machine.hart import Hart
from emu.machine.pte import (
    PAGE_SHIFT,
    PAGE_SIZE,
    A,
    D,
    R,
    U,
    V,
    W,
    X,
    is_leaf,
    make_pte,
    make_satp,
    ppn,
    vpn,
)
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu
from emu.machine.trap import Trap

FREE = 64
"""First frame that the board itself does not use."""

RX = U | R | X | A
RW = U | R | W | A | D
RO = U | R | A
RWX = U | R | W | X | A | D
CLEAN_RW = U | R | W


class Board:
    """A hart over its RAM. ``satp`` is loaded; nothing is mapped."""

    def __init__(self, megabytes: int = 4) -> None:
        self.ram = Ram(megabytes << 20)
        self.hart = Hart(self.ram)
        self._next_table = 0
        self.root = self._new_table()
        self.hart.set_satp(make_satp(self.root))

    @property
    def mmu(self) -> Mmu:
        return self.hart.mmu

    # Frames.

    def ppn(self, frame: int) -> int:
        return self.ram.first_ppn + frame

    def pa(self, frame: int, offset: int = 0) -> int:
        return (self.ppn(frame) << PAGE_SHIFT) + offset

    def write(self, frame: int, data: bytes, offset: int = 0) -> None:
        """Writes as the host; the data may extend into the next frames."""
        for at in range(0, len(data), 2):
            self.ram.write(self.pa(frame, offset + at), data[at : at + 2])

    def read(self, frame: int, offset: int = 0, size: int = 8) -> int:
        return int.from_bytes(self.ram.read(self.pa(frame, offset), size), "little")

    def write_code(self, frame: int, *instructions: bytes, offset: int = 0) -> None:
        self.write(frame, b"".join(instructions), offset)

    # The page table.

    def map(self, page: int, frame: int, flags: int) -> None:
        """Maps virtual ``page`` to ``frame``; takes effect as the hart's TLB allows."""
        self.ram.store64(self.pte_address(page), make_pte(self.ppn(frame), flags | V))

    def unmap(self, page: int) -> None:
        self.ram.store64(self.pte_address(page), 0)

    def pte(self, page: int) -> int:
        return self.ram.load64(self.pte_address(page))

    def set_pte(self, page: int, pte: int) -> None:
        self.ram.store64(self.pte_address(page), pte)

    def pte_address(self, page: int, root: int | None = None) -> int:
        """Address of the level-0 PTE of ``page``; creates the tables above it."""
        va = page << PAGE_SHIFT
        table = self.root if root is None else root
        for level in (2, 1):
            entry = (table << PAGE_SHIFT) + 8 * vpn(va, level)
            pte = self.ram.load64(entry)
            if not pte & V:
                pte = make_pte(self._new_table(), V)
                self.ram.store64(entry, pte)
            assert not is_leaf(pte)
            table = ppn(pte)
        return (table << PAGE_SHIFT) + 8 * vpn(va, 0)

    def new_root(self) -> int:
        """Root of another, empty address space."""
        return self._new_table()

    def _new_table(self) -> int:
        assert self._next_table < FREE
        table = self.ppn(self._next_table)
        self._next_table += 1
        assert not any(self.ram.read_frame(table))
        return table

    # Running.

    def set(self, **registers: int) -> None:
        """``set(x10=5)`` writes registers."""
        for name, value in registers.items():
            self.hart.write(int(name.removeprefix("x")), value)

    def x(self, register: int) -> int:
        return self.hart.read(register)

    def run(self, pc: int | None = None, **registers: int) -> Trap:
        """Runs to the next trap."""
        self.set(**registers)
        if pc is not None:
            self.hart.pc = pc
        return self.hart.run()

    def run_to_ecall(self, pc: int | None = None, **registers: int) -> None:
        """Runs to an ecall, through timer interrupts; any other trap is an error."""
        trap = self.run(pc, **registers)
        while trap.cause == Cause.TIMER_INTERRUPT:
            trap = self.hart.run()
        assert trap.cause == Cause.ECALL_FROM_U, f"{trap}: {trap.fault}"


@contextmanager
def ticking(hart: Hart, seconds: float = 0.001) -> Iterator[None]:
    """Another host thread interrupts the hart again and again."""
    done = Event()

    def tick() -> None:
        while not done.wait(seconds):
            hart.interrupt()

    thread = Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def address(page: int, offset: int = 0) -> int:
    return page * PAGE_SIZE + offset

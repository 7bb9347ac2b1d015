"""The engine's own copy of the registers, to be read without calling it.

Unicorn keeps a hart in ``struct CPURISCVState`` (QEMU's target/riscv/cpu.h), which begins with
gpr[32], fpr[32] and pc, 64 bits each, and stays where it is as long as the engine lives. One copy
of these 520 bytes takes a tenth of the time of reading 64 registers through the interface. Where
the struct lies is no part of the interface: it is found by the values that were written to the
registers, near some address that the engine's handle points to, and believed only if it then shows
what is written to single registers.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from io import FileIO

from emu.machine.pte import VA_MASK
from emu.machine.registers import COUNT, FCSR, PC, Registers

WORDS = 65
"""Words of a row of registers: x0 to x31, f0 to f31, pc."""
ROW = 8 * WORDS
"""Bytes of a row."""
PC_WORD = 64

ORDER = [*range(1, 64), PC]
"""Which of :mod:`emu.machine.registers` stand in words 1 to 64 of a row."""

_POINTERS = 512
_REACH = 1 << 17
_CHECKED = (1, 31, 32, 63)

Move = Callable[[Registers], None]
Write = Callable[[int, int], None]


def find_state(handle: int, save: Move, load: Move, write: Write) -> memoryview | None:
    """The row in the engine of ``handle``, which must not run; None where it can't be found.

    The registers are as before afterwards.
    """
    kept = Registers()
    save(kept)
    load(_marked())
    try:
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            found = [at for at in _places(memory, handle) if _is_alive(memory, at, write)]
    except OSError:  # not Linux
        found = []
    load(kept)
    if len(found) != 1:
        return None
    return memoryview((ctypes.c_ubyte * ROW).from_address(found[0])).cast("B")


def _marked() -> Registers:
    marked = Registers()
    for index in range(COUNT):
        marked[index] = 0x5EED_0000_0000_0001 + 0x0101_0000_0100 * index
    marked[FCSR] = 0
    return marked


def _places(memory: FileIO, handle: int) -> set[int]:
    """Where rows may begin of which words 1 to 64 are those that are marked."""
    marked = _marked()
    wanted = struct.pack("=64Q", *(marked[index] for index in ORDER))
    pointers = set(struct.unpack(f"={_POINTERS}Q", ctypes.string_at(handle, 8 * _POINTERS)))
    return {at - 8 for pointer in pointers for at in _finds(memory, pointer, wanted)}


def _finds(memory: FileIO, start: int, wanted: bytes) -> Iterator[int]:
    content = _read(memory, start, _REACH)
    at = content.find(wanted)
    while at >= 0:
        yield start + at
        at = content.find(wanted, at + 8)


def _read(memory: FileIO, address: int, size: int) -> bytes:
    """Our own memory, nothing where there is none: most of what is tried is no address."""
    try:
        memory.seek(address)
        return memory.read(size)
    except (OSError, OverflowError, ValueError):
        return b""


def _is_alive(memory: FileIO, at: int, write: Write) -> bool:
    """Whether the row shows what is written: our own arrays have held the values too."""
    for index in _CHECKED:
        value = at * (index + 3) & VA_MASK
        write(index, value)
        if _read(memory, at + 8 * index, 8) != value.to_bytes(8, "little"):
            return False
    return True

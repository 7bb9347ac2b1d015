"""Direct access to the engine's own copy of the registers.

Unicorn keeps the state of a hart in ``struct CPURISCVState`` (QEMU's target/riscv/cpu.h), which
begins with gpr[32], fpr[32] and pc, 64 bits each, and does not move during the engine's lifetime.
Copying these 520 bytes takes a tenth of the time of reading 64 registers through the interface. The
location of the struct is not part of the interface: it is found by values written to the registers,
near an address that the engine's handle points to, and accepted only if it then shows values
written to single registers. Where it is in the pinned build for x86-64 is tried first.
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
"""Indices (:mod:`emu.machine.registers`) of the registers in words 1 to 64 of a row."""

_POINTERS = 512
_KNOWN_POINTER, _KNOWN_OFFSET = 55, 36112
"""Place of the row in Unicorn 2.1.4 for x86-64: bytes after the address in this word of the
handle's struct. Trying it takes 0.1 ms, a search 4 ms."""
_SEARCH_SIZE = 1 << 17
_CHECKED_WORDS = (1, 31, 32, 63)

Move = Callable[[Registers], None]
Write = Callable[[int, int], None]


def find_state(handle: int, save: Move, load: Move, write: Write) -> memoryview | None:
    """The row in the engine of ``handle``, which must not be running; None if it is not found.

    The registers keep their values.
    """
    saved = Registers()
    save(saved)
    try:
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            at = _find(memory, handle, load, write)
    except OSError:  # not Linux
        at = None
    load(saved)
    if at is None:
        return None
    return memoryview((ctypes.c_ubyte * ROW).from_address(at)).cast("B")


def _find(memory: FileIO, handle: int, load: Move, write: Write) -> int | None:
    """The address of the row, None if not exactly one place is it."""
    known = _pointers(handle)[_KNOWN_POINTER] + _KNOWN_OFFSET
    if _is_alive(memory, known, write):
        return known
    load(_test_values())
    found = [at for at in _candidates(memory, handle) if _is_alive(memory, at, write)]
    return found[0] if len(found) == 1 else None


def _pointers(handle: int) -> tuple[int, ...]:
    return struct.unpack(f"={_POINTERS}Q", ctypes.string_at(handle, 8 * _POINTERS))


def _test_values() -> Registers:
    values = Registers()
    for index in range(COUNT):
        values[index] = 0x5EED_0000_0000_0001 + 0x0101_0000_0100 * index
    values[FCSR] = 0
    return values


def _candidates(memory: FileIO, handle: int) -> set[int]:
    """Addresses of rows whose words 1 to 64 are the test values."""
    values = _test_values()
    pattern = struct.pack("=64Q", *(values[index] for index in ORDER))
    pointers = set(_pointers(handle))
    return {at - 8 for pointer in pointers for at in _matches(memory, pointer, pattern)}


def _matches(memory: FileIO, start: int, pattern: bytes) -> Iterator[int]:
    content = _read(memory, start, _SEARCH_SIZE)
    at = content.find(pattern)
    while at >= 0:
        yield start + at
        at = content.find(pattern, at + 8)


def _read(memory: FileIO, address: int, size: int) -> bytes:
    """Reads this process's memory; returns nothing where it has none: most words tried are not
    addresses.
    """
    try:
        memory.seek(address)
        return memory.read(size)
    except (OSError, OverflowError, ValueError):
        return b""


def _is_alive(memory: FileIO, at: int, write: Write) -> bool:
    """True if the row follows a write: this process's own arrays have held the values too."""
    for index in _CHECKED_WORDS:
        value = at * (index + 3) & VA_MASK
        write(index, value)
        if _read(memory, at + 8 * index, 8) != value.to_bytes(8, "little"):
            return False
    return True

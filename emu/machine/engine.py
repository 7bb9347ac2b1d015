"""The instruction engine: Unicorn's C interface, called without its Python wrapper.

The wrapper costs more than the work itself on the hot paths (a TLB fill, a stop and a start, a
batch of registers). Unicorn itself is in :mod:`emu.machine.unicorn_library`; tests/emu/machine/
test_engine_contract.py tests the facts it relies on.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Callable
from threading import RLock
from typing import Any, Final

from emu.machine import unicorn_library as uc
from emu.machine.engine_hooks import (
    Hook,
    Starter,
    TlbFiller,
    fill_hook,
    hook_of,
    interrupt_hook,
    invalid_hook,
    new_block_hook,
)
from emu.machine.pte import PAGE_MASK, PAGE_SIZE, VA_MASK
from emu.machine.ram import Ram, require_address_space
from emu.machine.registers import A0, A6, A7, COUNT, FCSR, PC, Registers, Words
from emu.machine.unicorn_registers import ORDER, PC_WORD, find_state

OK: Final[int] = uc.UC_ERR_OK
EXCEPTION: Final[int] = uc.UC_ERR_EXCEPTION

READ: Final[int] = uc.UC_MEM_READ
WRITE: Final[int] = uc.UC_MEM_WRITE
FETCH: Final[int] = uc.UC_MEM_FETCH
PERM_R: Final[int] = uc.UC_PROT_READ
PERM_W: Final[int] = uc.UC_PROT_WRITE
PERM_X: Final[int] = uc.UC_PROT_EXEC

PAST_EXCEPTION: Final = 4
"""Bytes by which the engine's pc, in the hook, is past an instruction that raised an exception."""

_IN_ROW = 8 * FCSR
"""Bytes of x0 to x31 and f0 to f31, in a row as in a register file."""
_MSTATUS_FS_DIRTY = 3 << 13
_JUMP_AND_END = bytes.fromhex("09a0 0000")
_SEARCH_SIZE = 4096
_ADDRESS_SPACE = (1 << 30) + (192 << 20)
"""Bytes for the engine's buffer for translated code, without which it aborts, and for libraries and
threads that are loaded later."""
_PAGE_SIZES_TO_SWITCH = 50


_REACHED = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p
)
# A C function may declare fewer and narrower parameters than it is called with; each parameter that
# is not converted to a Python object saves a tenth of the call.
_CODE = ctypes.CFUNCTYPE(None)
_BLOCK = ctypes.CFUNCTYPE(None, ctypes.c_ubyte, ctypes.c_uint64, ctypes.c_uint32)


def _register_ids() -> list[int]:
    integer = [uc.UC_RISCV_REG_PC, *(uc.UC_RISCV_REG_X0 + n for n in range(1, 32))]
    floating = [uc.UC_RISCV_REG_F0 + n for n in range(32)]
    return [*integer, *floating, uc.UC_RISCV_REG_FCSR]


class _Batch:
    """A fixed set of registers that is read or written by one call."""

    __slots__ = ("count", "ids", "pointers", "values")

    def __init__(self, ids: list[int]) -> None:
        self.count = len(ids)
        self.ids = (ctypes.c_int * self.count)(*ids)
        self.values = (ctypes.c_uint64 * self.count)()
        address = ctypes.addressof(self.values)
        self.pointers = (ctypes.c_void_p * self.count)(
            *(address + 8 * index for index in range(self.count))
        )


class Engine:
    """One Unicorn instance over ``ram``, in U-mode, with ``filler`` for its address translations.

    ``on_exception(cause)`` and ``on_invalid()`` report an exception; neither may raise. The first
    returns True to continue after the instruction; otherwise the run ends on it.
    ``translated(address, bytes)`` is called once for each newly translated block; a stop takes
    effect before the block runs. It must not raise either.
    """

    def __init__(
        self,
        ram: Ram,
        filler: TlbFiller,
        on_exception: Callable[[int], bool],
        on_invalid: Callable[[], None],
        translated: Callable[[int, int], None] | None = None,
    ) -> None:
        require_address_space(_ADDRESS_SPACE, "the instruction engine")
        self._uc = uc.Unicorn()
        self._lib: Any = uc.LIBRARY
        self._handle: ctypes.c_void_p = self._uc.handle
        self._uc.map_memory(ram.base, ram.size, ram.host_address)
        self._run_first_block(ram)
        self._uc.control(uc.UC_CTL_TLB_TYPE, ctypes.c_int(uc.UC_TLB_VIRTUAL))
        self._uc.control(uc.UC_CTL_UC_USE_EXITS, ctypes.c_int(True))
        self.set_exits([])
        # Below M-mode a write to mstatus is silently ignored, so it is the first.
        self._uc.write_register(uc.UC_RISCV_REG_MSTATUS, _MSTATUS_FS_DIRTY)
        self._uc.write_register(uc.UC_RISCV_REG_PRIV, 0)
        self._on_exception = on_exception
        self._past = 0
        self._counting = False
        self._mode_lock = RLock()
        self._whole_blocks = self._find_whole_blocks()
        self._whole_blocks.value = 1
        self._hooks: list[Any] = []
        self._add_hook(uc.UC_HOOK_TLB_FILL, fill_hook(filler))
        self._add_hook(uc.UC_HOOK_INTR, interrupt_hook(self._on_interrupt))
        self._add_hook(uc.UC_HOOK_INSN_INVALID, invalid_hook(on_invalid))
        if translated is not None:
            self._add_hook(uc.UC_HOOK_EDGE_GENERATED, new_block_hook(translated))
        start = ctypes.cast(self._lib.uc_emu_start, ctypes.c_void_p).value or 0
        self._start = Starter(start, self._handle.value or 0).start
        ids = _register_ids()
        self._all = _Batch(ids)
        self._one = {n: (ids[n], ctypes.c_uint64()) for n in range(COUNT)}
        self._flush_tlb = uc.UC_CTL_IO_WRITE << 30 | uc.UC_CTL_TLB_FLUSH
        self._row: memoryview | None = None
        """The engine's own registers as 64-bit words; None where they are not found."""
        self._use_row(find_state(self._handle.value or 0, self.save, self.load, self.write))

    def _use_row(self, row: memoryview | None) -> None:
        """Accesses the registers in place in ``row`` from now on, or by the interface if None."""
        self._row = None if row is None else row.cast("Q")
        self._row_address = 0
        if row is not None:
            self._row_address = ctypes.addressof(ctypes.c_char.from_buffer(row))
        self.call_registers = self._call_registers()
        """The pc, a7 and a0 to a5, as a system call passes them."""

    def _call_registers(self) -> Callable[[], tuple[int, int, list[int]]]:
        row = self._row
        if row is not None:
            return lambda: (row[PC_WORD], row[A7], row[A0:A6].tolist())
        read = self.batch([PC, A7, *range(A0, A6)])

        def by_interface() -> tuple[int, int, list[int]]:
            pc, number, *arguments = read()
            return pc, number, arguments

        return by_interface

    def _run_first_block(self, ram: Ram) -> None:
        """Runs a jump to the next instruction, which is illegal. In M-mode addresses are physical.

        A hook for new blocks is not called before one block has run.
        """
        saved = bytes(ram.bytes[:4])
        ram.bytes[:4] = _JUMP_AND_END
        self._lib.uc_emu_start(self._handle, ram.base, 0, 0, 0)
        ram.bytes[:4] = saved
        self.flush_code()

    def _find_whole_blocks(self) -> ctypes.c_uint8:
        """Finds the engine's flag that makes a stop end a run only between two blocks.

        Without it translated code checks for a stop after each load and store. Such a stop comes
        after the access but before the rest of the instruction, so an AMO would add twice when it
        is run again, and an SC that has stored would fail. The flag (``no_exit_request``, intended
        for Arm's IT blocks) is not part of the interface; it is found by the fields before it in
        ``struct uc_struct``. A run with a count needs it off.
        """
        start = self._handle.value or 0
        page_sizes = struct.pack("=IIQQ", PAGE_SIZE, PAGE_MASK, mmap.PAGESIZE, mmap.PAGESIZE)
        at = ctypes.string_at(start, _SEARCH_SIZE).find(page_sizes) + _PAGE_SIZES_TO_SWITCH
        hook_insert, first_tb, switch, init_done = ctypes.string_at(start + at - 2, 4)
        as_known = (hook_insert, switch, init_done) == (0, 0, 1) and first_tb < 2
        if at < _PAGE_SIZES_TO_SWITCH or not as_known:
            raise RuntimeError("this build of Unicorn isn't laid out as 2.1.4 is")
        return ctypes.c_uint8.from_address(start + at)

    def watch(self, address: int, reached: Callable[[int], None]) -> None:
        """Calls ``reached(address)`` before the instruction at ``address``; it must not raise.

        In code that is already translated it takes effect after :meth:`flush_code`.
        """

        def hook(_engine: int, pc: int, _size: int, _data: int | None) -> None:  # None for NULL
            reached(pc)

        self._add_hook(uc.UC_HOOK_CODE, hook_of(_REACHED(hook)), address, address)

    def _add_hook(self, kind: int, hook: Hook, first: int = 1, last: int = 0) -> None:
        """Adds a hook for ``first`` to ``last``; for all addresses if ``last`` < ``first``."""
        handle = ctypes.c_ulong()
        pointers = ctypes.c_void_p(hook.function), ctypes.c_void_p(hook.data)
        bounds = ctypes.c_uint64(first), ctypes.c_uint64(last)
        status = self._lib.uc_hook_add(self._handle, ctypes.byref(handle), kind, *pointers, *bounds)
        if status != OK:
            raise RuntimeError(f"Unicorn refuses hook {kind}: error {status}")
        self._hooks.append(hook)

    # The callbacks of these must not raise. Code that is already translated does not call them.

    def hook_instructions(self, callback: Callable[[], None], first: int, last: int) -> None:
        """Calls ``callback`` before each instruction at ``first`` to ``last``, inclusive."""
        self._add_hook(uc.UC_HOOK_CODE, hook_of(_CODE(callback)), first, last)

    def hook_blocks(self, callback: Callable[[int, int, int], None]) -> None:
        """Calls ``callback(unused, address, size in bytes)`` before each translated block."""
        self._add_hook(uc.UC_HOOK_BLOCK, hook_of(_BLOCK(callback)))

    def _on_interrupt(self, cause: int) -> None:
        # Only here is the engine's pc already 4 past the instruction, whatever its length.
        self._past = PAST_EXCEPTION
        if self._on_exception(cause):
            self._past = 0
        else:
            self._lib.uc_emu_stop(self._handle)

    def run(self, pc: int, count: int = 0) -> int:
        """Runs from ``pc`` until stopped, or ``count`` instructions; returns an error code."""
        self._past = 0
        if self._counting != (count > 0):
            self._set_counting(count > 0)
        return self._start(pc, count)

    def _set_counting(self, counting: bool) -> None:
        with self._mode_lock:
            self._counting = counting
        self._whole_blocks.value = not counting
        if counting:
            self.flush_code()  # of blocks that do not count; the engine drops those that do itself

    def stop(self) -> None:
        """Ends :meth:`run` soon; for a hook."""
        self._lib.uc_emu_stop(self._handle)

    def interrupt(self) -> None:
        """Ends :meth:`run` soon; for another host thread.

        A run with a count is not ended: it could end within an instruction.
        """
        with self._mode_lock:
            if not self._counting:
                self.stop()

    def set_exits(self, addresses: list[int]) -> None:
        """Sets the addresses at which a run stops without executing the instruction there.

        The byte before each must be in an executable page: the engine fetches it afterwards.
        """
        exits = (ctypes.c_uint64 * len(addresses))(*addresses)
        self._uc.control(uc.UC_CTL_UC_EXITS, exits, ctypes.c_size_t(len(addresses)))

    def flush_tlb(self) -> None:
        self._lib.uc_ctl(self._handle, self._flush_tlb)

    def flush_code(self) -> None:
        """Drops all translated blocks."""
        self._uc.control(uc.UC_CTL_TB_FLUSH)

    def drop_reservation(self) -> None:
        """Ends an LR's reservation: writing the privilege mode does, even if it is the same."""
        self._uc.write_register(uc.UC_RISCV_REG_PRIV, 0)

    def pc(self) -> int:
        """The pc at which the run stopped; in ``fill``, that of the instruction that misses."""
        return (self.read(PC) - self._past) & VA_MASK

    def read(self, index: int) -> int:
        if self._row is not None and index < FCSR:
            return self._row[index or PC_WORD]
        register, cell = self._one[index]
        self._lib.uc_reg_read(self._handle, register, ctypes.byref(cell))
        return cell.value

    def integer_registers(self) -> bytes:
        """x0 to x31, 64 bits each, little-endian."""
        if self._row is not None:
            return self._row[:32].tobytes()
        words = [0, *(self.read(index) for index in range(1, 32))]
        return b"".join(word.to_bytes(8, "little") for word in words)

    def write(self, index: int, value: int) -> None:
        """``value`` has 64 bits, unsigned."""
        if self._row is not None and PC < index < FCSR:
            self._row[index] = value
            return
        register, cell = self._one[index]
        cell.value = value
        self._lib.uc_reg_write(self._handle, register, ctypes.byref(cell))

    def batch(self, indices: list[int]) -> Callable[[], Any]:
        """Returns a function that reads these registers in one call, always into the same array."""
        batch = _Batch([self._all.ids[index] for index in indices])
        read, handle = self._lib.uc_reg_read_batch, self._handle

        def values() -> Any:
            read(handle, batch.ids, batch.pointers, batch.count)
            return batch.values

        return values

    def save(self, registers: Registers) -> None:
        if self._row is not None:
            ctypes.memmove(registers.words, self._row_address, _IN_ROW)
            registers[PC] = self._row[PC_WORD]
            registers[FCSR] = self.read(FCSR)
            return
        batch = self._all
        self._lib.uc_reg_read_batch(self._handle, batch.ids, batch.pointers, batch.count)
        ctypes.memmove(registers.words, batch.values, ctypes.sizeof(Words))

    def load(self, registers: Registers) -> None:
        if self._row is not None:
            source = ctypes.addressof(registers.words)
            ctypes.memmove(self._row_address + 8, source + 8, _IN_ROW - 8)
            self._row[PC_WORD] = registers[PC]
            self.write(FCSR, registers[FCSR])
            return
        batch = self._all
        ctypes.memmove(batch.values, registers.words, ctypes.sizeof(Words))
        self._lib.uc_reg_write_batch(self._handle, batch.ids, batch.pointers, batch.count)

    def state(self) -> tuple[memoryview, Callable[[], object] | None]:
        """A row of registers (see :mod:`emu.machine.unicorn_registers`), and the function that
        updates it, None if it is always current.
        """
        if self._row is not None:
            return self._row.cast("B"), None
        row = (ctypes.c_uint64 * (1 + len(ORDER)))()
        read = self.batch(ORDER)

        def refresh() -> None:
            row[1:] = read()

        return memoryview(row).cast("B"), refresh

"""The stack frame of a signal handler: struct rt_sigframe of riscv64 Linux.

::

    sp → +0     siginfo_t, 128 bytes
         +128   ucontext: flags, link, stack_t (24), mask (8 of 128 bytes), …
         +304   mcontext: pc, x1 … x31, then f0 … f31, fcsr
         +1088  end

The handler gets the signal number in a0, the siginfo's address in a1, the ucontext's in a2, and
returns to the page that calls rt_sigreturn.
"""

from __future__ import annotations

import struct

from emu.machine.pte import PAGE_SHIFT
from emu.machine.registers import A0, A1, A2, F0, FCSR, PC, RA, SP, Registers
from kernel.base.errors import Errno
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.faults.user_memory import UserMemory
from kernel.mm.physical.frames import Frames
from kernel.process.signals.signals import SIGINFO_SIZE, SigInfo

_UCONTEXT = SIGINFO_SIZE
_STACK = _UCONTEXT + 16
_MASK = _UCONTEXT + 40
_REGISTERS = _UCONTEXT + 176
_FLOATS = _REGISTERS + 32 * 8
SIZE = _REGISTERS + 32 * 8 + 528

SS_ONSTACK, SS_DISABLE = 1, 2
SS_AUTODISARM = 1 << 31
MIN_STACK = 2048


class AltStack:
    """The stack of sigaltstack(2); ``size`` is 0 when there is none."""

    __slots__ = ("flags", "size", "sp")

    def __init__(self, sp: int = 0, size: int = 0, flags: int = SS_DISABLE) -> None:
        self.sp, self.size, self.flags = sp, size, flags

    def holds(self, address: int) -> bool:
        return self.size > 0 and self.sp < address <= self.sp + self.size

    def encode(self, sp: int) -> bytes:
        """Encodes a stack_t for code whose stack pointer is ``sp``."""
        flags = self.flags | (SS_ONSTACK if self.holds(sp) else 0)
        return struct.pack("<QiIQ", self.sp, _signed32(flags), 0, self.size)


_LI_A7_SIGRETURN = 139 << 20 | 17 << 7 | 0x13
_ECALL = 0x73


def sigreturn_page(frames: Frames) -> SharedMemory:
    """The page of code that a signal handler returns to: it calls rt_sigreturn(2)."""
    page = SharedMemory(frames, 1)
    page.in_memory = False  # Linux counts the vDSO as a file
    frame = page.frame(0)
    assert frame is not None
    code = _LI_A7_SIGRETURN.to_bytes(4, "little") + _ECALL.to_bytes(4, "little")
    frames.ram.write(frame << PAGE_SHIFT, code)
    page.users += 1
    return page


def push(
    memory: UserMemory, registers: Registers, info: SigInfo, mask: int, stack: AltStack, top: int
) -> int:
    """Writes the frame below ``top`` and returns its address; Errno(EFAULT)."""
    address = (top - SIZE) & ~15
    context = bytearray(SIZE - _UCONTEXT)
    stack_t = stack.encode(registers[SP])
    context[_STACK - _UCONTEXT : _STACK - _UCONTEXT + len(stack_t)] = stack_t
    struct.pack_into("<Q", context, _MASK - _UCONTEXT, mask)
    struct.pack_into("<32Q", context, _REGISTERS - _UCONTEXT, *registers.words[:32])
    floats = _FLOATS - _UCONTEXT
    struct.pack_into("<32QI", context, floats, *registers.words[F0:FCSR], registers[FCSR])
    memory.write(address, info.encode() + context)
    return address


def enter(registers: Registers, handler: int, signo: int, frame: int, return_to: int) -> None:
    """Sets the registers for the first instruction of a handler."""
    registers[PC] = handler
    registers[RA] = return_to
    registers[SP] = frame
    registers[A0] = signo
    registers[A1] = frame
    registers[A2] = frame + _UCONTEXT


def pop(memory: UserMemory, frame: int, registers: Registers) -> tuple[int, AltStack]:
    """Restores the registers from the frame; returns its signal mask and alternate stack."""
    if frame & 15:
        raise Errno(14)
    data = memory.read(frame, SIZE)
    registers.words[:32] = [*struct.unpack_from("<32Q", data, _REGISTERS)]
    *floats, fcsr = struct.unpack_from("<32QI", data, _FLOATS)
    registers.words[F0:FCSR] = floats
    registers[FCSR] = fcsr & 0xFF
    (mask,) = struct.unpack_from("<Q", data, _MASK)
    sp, flags, size = struct.unpack_from("<Qi4xQ", data, _STACK)
    return mask, AltStack(sp, size, flags & ~SS_ONSTACK)


def _signed32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value

"""The boundary to the engine's callbacks, by ctypes.

``engine_hooks.pyx`` has the same names in compiled code, for the compiled variant of the machine
(:mod:`emu.compilation`). No callback may raise: an exception in it is lost.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

_PERMISSIONS = 7


class Hook:
    """A callback for ``uc_hook_add``: the addresses of its function and of its data.

    ``alive`` must live as long as the engine may call it.
    """

    __slots__ = ("alive", "data", "function")

    def __init__(self, function: int, data: int, alive: object) -> None:
        self.function = function
        self.data = data
        self.alive = alive


class _TlbEntry(ctypes.Structure):
    """Unicorn's struct uc_tlb_entry."""

    _fields_ = (("paddr", ctypes.c_uint64), ("perms", ctypes.c_uint32))


class _Translated(ctypes.Structure):
    """Unicorn's struct uc_tb."""

    _fields_ = (("pc", ctypes.c_uint64), ("icount", ctypes.c_uint16), ("size", ctypes.c_uint16))


_FILL = ctypes.CFUNCTYPE(
    ctypes.c_bool,
    ctypes.c_void_p,
    ctypes.c_uint64,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
)
_INTERRUPT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)
_INVALID = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p)
# A C function may declare fewer and narrower parameters than it is called with; each parameter that
# is not converted to a Python object saves a tenth of the call.
_NEW_BLOCK = ctypes.CFUNCTYPE(None, ctypes.c_ubyte, ctypes.c_uint64)


def hook_of(callback: Any) -> Hook:
    """The hook that calls a ctypes function."""
    return Hook(ctypes.cast(callback, ctypes.c_void_p).value or 0, 0, callback)


class TlbFiller:
    """Fills the engine's TLB. A class: compiled code calls its method by address."""

    def fill(self, va: int, access: int) -> int:
        """Translates the page at ``va``: the frame's address with the permissions in the lowest
        three bits, or 0 for a fault.
        """
        raise NotImplementedError


def fill_hook(filler: TlbFiller) -> Hook:
    """Calls ``filler.fill`` for a miss of the TLB."""
    entries: dict[int, _TlbEntry] = {}  # the engine passes entries on its stack, at few addresses

    def hook(_engine: int, va: int, access: int, address: int, _data: int) -> bool:
        result = filler.fill(va, access)
        if not result:
            return False
        entry = entries.get(address)
        if entry is None:
            entry = entries[address] = _TlbEntry.from_address(address)
        entry.paddr = result & ~_PERMISSIONS
        entry.perms = result & _PERMISSIONS
        return True

    return hook_of(_FILL(hook))


def interrupt_hook(interrupted: Callable[[int], None]) -> Hook:
    """Calls ``interrupted(cause)`` for an exception."""
    return hook_of(_INTERRUPT(lambda _engine, cause, _data: interrupted(cause)))


def invalid_hook(invalid: Callable[[], None]) -> Hook:
    """Calls ``invalid()`` for an instruction that the engine does not have; it ends the run."""

    def hook(_engine: int, _data: int) -> bool:
        invalid()
        return False

    return hook_of(_INVALID(hook))


def new_block_hook(translated: Callable[[int, int], None]) -> Hook:
    """Calls ``translated(address, bytes)`` for each new block of code."""
    blocks: dict[int, _Translated] = {}

    def hook(_engine: int, address: int) -> None:
        block = blocks.get(address)
        if block is None:
            block = blocks[address] = _Translated.from_address(address)
        translated(block.pc, block.size)

    return hook_of(_NEW_BLOCK(hook))


class Starter:
    """Starts the engine ``handle`` by ``function``, the address of ``uc_emu_start``."""

    def __init__(self, function: int, handle: int) -> None:
        size = ctypes.c_size_t
        prototype = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, size
        )
        self._function = prototype(function)
        self._handle = handle

    def start(self, pc: int, count: int) -> int:
        """Runs from ``pc`` until stopped, or ``count`` instructions; returns an error code."""
        status: int = self._function(self._handle, pc, 0, 0, count)
        return status

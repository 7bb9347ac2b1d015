# cython: language_level=3, binding=False
"""The boundary to the engine's callbacks, compiled: see engine_hooks.py, which has the same names.

The engine runs without the interpreter's lock; each callback takes it.
"""

import ctypes

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uintptr_t


cdef struct TlbEntry:  # Unicorn's struct uc_tlb_entry
    uint64_t paddr
    uint32_t perms


cdef struct Translated:  # Unicorn's struct uc_tb
    uint64_t pc
    uint16_t icount
    uint16_t size


ctypedef int (*Start)(void *, uint64_t, uint64_t, uint64_t, size_t) noexcept nogil

cdef uint64_t PERMISSIONS = 7


cdef class TlbFiller:

    cpdef uint64_t fill(self, uint64_t va, int access):
        raise NotImplementedError


cdef class Hook:
    """A callback for ``uc_hook_add``: the addresses of its function and of its data."""

    cdef readonly uintptr_t function
    cdef readonly uintptr_t data
    cdef readonly object alive


cdef Hook _hook(void *function, object callback):
    cdef Hook hook = Hook.__new__(Hook)
    hook.function = <uintptr_t>function
    hook.data = <uintptr_t><void *>callback
    hook.alive = callback
    return hook


def hook_of(callback):
    """The hook that calls a ctypes function."""
    cdef Hook hook = Hook.__new__(Hook)
    hook.function = ctypes.cast(callback, ctypes.c_void_p).value
    hook.alive = callback
    return hook


cdef bint _fill(void *engine, uint64_t va, int access, TlbEntry *entry, void *data) noexcept with gil:
    cdef uint64_t result = (<TlbFiller>data).fill(va, access)
    if not result:
        return False
    entry.paddr = result & ~PERMISSIONS
    entry.perms = <uint32_t>(result & PERMISSIONS)
    return True


cdef void _interrupt(void *engine, uint32_t cause, void *data) noexcept with gil:
    (<object>data)(cause)


cdef bint _invalid(void *engine, void *data) noexcept with gil:
    (<object>data)()
    return False


cdef void _new_block(void *engine, Translated *block, void *before, void *data) noexcept with gil:
    (<object>data)(block.pc, block.size)


def fill_hook(TlbFiller filler):
    return _hook(<void *>_fill, filler)


def interrupt_hook(interrupted):
    return _hook(<void *>_interrupt, interrupted)


def invalid_hook(invalid):
    return _hook(<void *>_invalid, invalid)


def new_block_hook(translated):
    return _hook(<void *>_new_block, translated)


cdef class Starter:
    """Starts the engine ``handle`` by ``function``, the address of ``uc_emu_start``."""

    cdef Start _start
    cdef void *_handle

    def __init__(self, uintptr_t function, uintptr_t handle):
        self._start = <Start>function
        self._handle = <void *>handle

    def start(self, uint64_t pc, size_t count):
        cdef int status
        with nogil:
            status = self._start(self._handle, pc, 0, 0, count)
        return status

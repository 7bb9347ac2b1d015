cimport cython
from libc.stdint cimport uint64_t
from emu.machine.engine_hooks cimport TlbFiller
from emu.machine.ram cimport Ram
from emu.machine.sv39 cimport Mmu, Translation, TranslationFault
from emu.machine.tlb cimport Tlb


cdef class Hart(TlbFiller):
    cdef readonly Ram ram
    cdef readonly Mmu mmu
    cdef public object pc
    cdef object _engine
    cdef public object vector
    cdef object _probe
    cdef object _cause
    cdef TranslationFault _fault
    cdef TranslationFault _offered
    cdef object _conflict
    cdef object _reserved
    cdef object _last_conflict
    cdef bint _running
    cdef bint _counts
    cdef bint _interrupted
    cdef object _exits
    cdef bint _rearm
    cdef object _error
    cdef Tlb _tlb
    cdef object _code_reader
    cdef readonly object integer_registers

    @cython.locals(ppn=object, perms=int, found=Translation)
    cpdef uint64_t fill(self, uint64_t va, int access)
    cdef _record_fault(self, TranslationFault fault)
    cdef object _repair(self, TranslationFault fault)
    cdef bint _is_as_reported(self, TranslationFault fault) except -1

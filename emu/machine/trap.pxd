cimport cython
from emu.machine.sv39 cimport TranslationFault


cdef class Trap:
    cdef readonly object cause
    cdef readonly object epc
    cdef readonly object page
    cdef readonly TranslationFault fault
    cdef object _tval
    cdef object _find_tval

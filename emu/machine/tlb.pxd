cimport cython
from libc.stdint cimport uint64_t
from emu.machine.ram cimport Ram


cdef class Tlb:
    cdef public bint unrestricted
    cdef public bint may_be_amo
    cdef set _amo_frames
    cdef object _engine
    cdef Ram _ram
    cdef set _writable
    cdef Py_ssize_t _misses
    cdef Py_ssize_t _size

    cpdef flush(self)
    cpdef filled(self, object ppn, int perms)
    @cython.locals(executed=bint)
    cpdef int permissions(self, int access, uint64_t pte, object ppn)

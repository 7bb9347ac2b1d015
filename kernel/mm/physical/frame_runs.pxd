from libc.stdint cimport int32_t, uint8_t, uint64_t
from emu.machine.ram cimport Ram


cdef class FrameRuns:
    cdef readonly Ram ram
    cdef readonly uint64_t first
    cdef readonly Py_ssize_t total
    cdef public Py_ssize_t used
    cdef public Py_ssize_t peak
    cdef public Py_ssize_t allocations
    cdef int32_t[::1] _count
    cdef uint8_t[::1] _kind
    cdef uint8_t[::1] _marks
    cdef object _counts
    cdef object _kinds
    cdef object _all_marks
    cdef object _free
    cdef Py_ssize_t _untouched
    cdef Py_ssize_t _provided
    cdef Py_ssize_t _given_to_host
    cdef Py_ssize_t _fail_at
    cdef Py_ssize_t _deferred
    cdef Py_ssize_t _defer
    cdef Py_ssize_t _free_in_vain
    cdef public list pool
    cdef public object huge_events
    cdef public object huge_zero

cimport cython
from libc.stdint cimport uint64_t
from kernel.mm.physical.table_frames cimport TableFrames


cdef class Frames(TableFrames):
    cdef object _words
    cdef object _tables
    cdef public Py_ssize_t tables_made
    cdef public object budget
    cdef public object reclaim

    cpdef uint64_t allocate(self, object kind) except 0
    @cython.locals(ppn=uint64_t, untouched=Py_ssize_t)
    cpdef uint64_t allocate_zeroed(self, object kind) except 0
    @cython.locals(index=uint64_t)
    cdef uint64_t _take(self, object kind) except 0
    cpdef int count(self, uint64_t ppn) except -1
    cpdef object kind(self, uint64_t ppn)
    cpdef bint may_reuse(self, uint64_t ppn) except -1
    cpdef make_exclusive(self, uint64_t ppn)
    cpdef share(self, uint64_t ppn)
    @cython.locals(index=uint64_t, left=int)
    cpdef release(self, uint64_t ppn)

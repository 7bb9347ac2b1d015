cimport cython
from libc.stdint cimport uint64_t


cdef class Ram:
    cdef object _map
    cdef readonly uint64_t base
    cdef readonly uint64_t size
    cdef readonly uint64_t end
    cdef readonly object bytes
    cdef readonly object words
    cdef uint64_t[::1] typed_words
    cdef uint64_t[::1] _zeroes
    cdef readonly set executed
    cdef public bint code_is_stale
    cdef readonly object host_pages

    cpdef object _mapping(self, object size)
    cpdef object read(self, uint64_t pa, uint64_t count)
    @cython.locals(start=uint64_t, to=uint64_t)
    cpdef void copy_frame(self, uint64_t source, uint64_t target)
    @cython.locals(start=uint64_t)
    cpdef void zero_frame(self, uint64_t ppn)
    cpdef uint64_t load64(self, uint64_t pa)
    cpdef void store64(self, uint64_t pa, uint64_t value)
    cpdef void _snoop(self, object ppn)

from libc.stdint cimport uint64_t


cdef class TlbFiller:
    cpdef uint64_t fill(self, uint64_t va, int access)

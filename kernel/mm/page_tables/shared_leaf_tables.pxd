cimport cython
from libc.stdint cimport uint64_t
from kernel.mm.page_tables.huge_tables cimport HugeTables


cdef class SharedTables(HugeTables):
    cdef dict _shared

    @cython.locals(key=object)
    cpdef bint own(self, uint64_t va) except -1
    cpdef list share_with(self, SharedTables other, object apart)

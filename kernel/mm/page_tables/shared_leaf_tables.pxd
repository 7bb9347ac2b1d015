cimport cython
from libc.stdint cimport uint64_t
from kernel.mm.page_tables.shared_middle_tables cimport SharedMiddleTables


cdef class Shared:
    cdef public Py_ssize_t pages
    cdef public Py_ssize_t private
    cdef public Py_ssize_t resident


cdef class Sharing:
    cdef public Py_ssize_t tables
    cdef public Py_ssize_t middles
    cdef public Py_ssize_t pointers
    cdef public Py_ssize_t pages
    cdef public Py_ssize_t private


cdef class SharedTables(SharedMiddleTables):
    cdef dict _shared

    @cython.locals(key=object)
    cpdef bint own(self, uint64_t va) except -1
    @cython.locals(key=object, number=object, last=object, shared=Shared, sharing=Sharing)
    cpdef Sharing share_with(self, SharedTables other, object apart, bint middles)

cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport ppn
from kernel.mm.page_tables.shared_leaf_tables cimport SharedTables
from kernel.mm.physical cimport pte_loops


cdef class PageTable(SharedTables):
    @cython.locals(index=uint64_t)
    cpdef set_pte(self, uint64_t va, uint64_t pte)
    @cython.locals(index=uint64_t, va=uint64_t, pte=uint64_t)
    cpdef list fill(self, list ptes)
    @cython.locals(key=object, found=object)
    cpdef uint64_t leaf(self, uint64_t va) except? 1
    @cython.locals(place=object)
    cpdef add_flags(self, uint64_t va, uint64_t flags)
    @cython.locals(index=uint64_t)
    cpdef clear(self, uint64_t va)

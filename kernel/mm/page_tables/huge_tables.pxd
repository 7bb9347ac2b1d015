cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport make_pte, ppn, vpn
from kernel.mm.page_tables.leaf_tables cimport LeafTables
from kernel.mm.physical.frames cimport Frames


cdef class HugeTables(LeafTables):
    cdef readonly dict huge
    cdef dict _deposits

    @cython.locals(index=uint64_t)
    cpdef uint64_t pte(self, uint64_t va) except? 1
    cpdef object pte_address(self, uint64_t va)
    cpdef bint is_huge(self, uint64_t va) except -1

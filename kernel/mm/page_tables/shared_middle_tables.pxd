cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport make_pte, ppn
from kernel.mm.page_tables.huge_tables cimport HugeTables


cdef class SharedMiddleTables(HugeTables):
    cdef public set shared_middles

    @cython.locals(number=object)
    cpdef bint own_middle(self, uint64_t va) except -1
    cpdef _share_middle(self, object number, SharedMiddleTables other)
    @cython.locals(pointer=uint64_t)
    cpdef list _leaf_frames(self, uint64_t middle)
    cpdef object _middle(self, uint64_t va)

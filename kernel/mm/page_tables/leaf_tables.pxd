cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport make_pte, ppn, vpn
from emu.machine.ram cimport Ram
from kernel.mm.physical.frames cimport Frames


cdef class LeafTables:
    cdef Frames _frames
    cdef Ram _ram
    cdef readonly uint64_t root
    cdef readonly uint64_t satp
    cdef list _upper
    cdef dict _leaves

    cpdef uint64_t pte(self, uint64_t va) except? 1
    @cython.locals(leaf=object)
    cpdef object pte_address(self, uint64_t va)
    cpdef object _words_to_frame(self, uint64_t leaf)
    cpdef object _frame_to_words(self, uint64_t frame)
    cpdef object _middle(self, uint64_t va)

cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport is_canonical, make_pte, vpn
from emu.machine.ram cimport Ram


cdef class Translation:
    cdef readonly uint64_t pa
    cdef readonly uint64_t pte
    cdef readonly int level


@cython.locals(translation=Translation)
cdef Translation _translation(uint64_t pa, uint64_t pte, int level)


cdef class TranslationFault:
    cdef readonly object rule
    cdef readonly uint64_t va
    cdef readonly object access
    cdef Mmu _mmu
    cdef object _walk


cdef class Mmu:
    cdef public Ram ram
    cdef public object privilege
    cdef public bint sum
    cdef public bint mxr
    cdef public bint svade
    cdef uint64_t _satp
    cdef object _root

    @cython.locals(base=uint64_t, end=uint64_t, table=uint64_t, level=int, entry=uint64_t, pte=uint64_t, ready=uint64_t, wanted=uint64_t, pa=uint64_t, frame=uint64_t, offset_mask=uint64_t)
    cpdef object translate(self, uint64_t va, object access)
    cdef object _forbidden(self, uint64_t pte, object access)
    cdef object _fault(self, object rule, uint64_t va, object access)
    cdef object _bare(self, uint64_t va, object access)

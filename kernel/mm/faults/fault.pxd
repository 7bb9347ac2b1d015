cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport make_pte, ppn
from kernel.mm.address_space cimport AddressSpace
from kernel.mm.faults.cow_break cimport break_cow, copy_privately, map_zeroed, read_only_flags
from kernel.mm.mappings.vma cimport Vma
from kernel.mm.resolution cimport Resolution


@cython.locals(page=uint64_t, before=uint64_t, count=int, table_copied=bint, middle_copied=bint, was_huge=bint, resolution=Resolution)
cpdef Resolution handle(AddressSpace space, uint64_t va, object access)
@cython.locals(vma=Vma, allowed=uint64_t, needed=uint64_t)
cdef object _resolve(AddressSpace space, uint64_t page, object access, uint64_t pte)
cdef object _share_zero(AddressSpace space, Vma vma, uint64_t page)
@cython.locals(frame=object, copy=uint64_t)
cdef object _from_backing(AddressSpace space, Vma vma, uint64_t page, object access)
cdef object _present(AddressSpace space, Vma vma, uint64_t page, object access, uint64_t pte)
@cython.locals(wanted=uint64_t)
cpdef bint allows(uint64_t pte, object access) except -1

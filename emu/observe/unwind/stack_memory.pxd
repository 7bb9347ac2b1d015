cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport ppn
from kernel.mm.address_space cimport AddressSpace
from kernel.mm.mappings.vma cimport Vma


@cython.locals(vmas=list, vma=Vma, end=uint64_t, page=uint64_t, start=uint64_t)
cpdef uint64_t stack_end(AddressSpace space, uint64_t sp) except? 1

cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport make_pte, ppn
from kernel.mm.address_space cimport AddressSpace
from kernel.mm.mappings.vma cimport Vma
from kernel.mm.physical.frames cimport Frames


@cython.locals(frames=Frames, frame=uint64_t, copy=uint64_t)
cpdef object break_cow(AddressSpace space, Vma vma, uint64_t page, uint64_t pte)
cpdef uint64_t copy_privately(AddressSpace space, Vma vma, uint64_t frame) except 0
@cython.locals(frame=uint64_t)
cpdef map_zeroed(AddressSpace space, Vma vma, uint64_t page)
@cython.locals(flags=uint64_t)
cpdef uint64_t read_only_flags(Vma vma) except 0

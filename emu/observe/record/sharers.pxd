cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport ppn
from kernel.mm.address_space cimport AddressSpace


@cython.locals(pte=uint64_t, space=AddressSpace)
cdef list _that_map(uint64_t page, uint64_t frame, list spaces)

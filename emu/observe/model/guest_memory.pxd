cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport ppn
from emu.machine.ram cimport Ram
from kernel.mm.address_space cimport AddressSpace


@cython.locals(ram=Ram, pte=uint64_t, offset=uint64_t, start=uint64_t, bits=uint64_t, word=uint64_t, shift=int)
cpdef object instruction_bits(AddressSpace space, uint64_t pc)

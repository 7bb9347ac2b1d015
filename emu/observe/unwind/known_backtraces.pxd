cimport cython
from libc.stdint cimport uint64_t
from emu.machine.pte cimport ppn
from emu.machine.ram cimport Ram
from emu.observe.unwind.stack_memory cimport stack_end
from kernel.mm.address_space cimport AddressSpace


cdef class BacktraceLog:
    cdef object _memory


cdef class KnownBacktraces:
    cdef uint64_t[::1] _memory
    cdef uint64_t[::1] _slots
    cdef uint64_t _end

    @cython.locals(used=uint64_t, at=uint64_t, slot=uint64_t)
    cpdef learn(self)
    @cython.locals(ra=uint64_t, sp=uint64_t, fp=uint64_t, at=uint64_t)
    cpdef uint64_t find(self, AddressSpace space, uint64_t layout, uint64_t pc, uint64_t[::1] registers) except? 1
    @cython.locals(ram=Ram, page=uint64_t, start=uint64_t, at=uint64_t, va=uint64_t, pte=uint64_t)
    cdef bint _match(self, AddressSpace space, uint64_t entry) except -1


cdef uint64_t _slot(uint64_t pc, uint64_t ra, uint64_t sp) noexcept

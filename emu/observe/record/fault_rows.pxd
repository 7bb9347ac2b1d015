cimport cython
from libc.stdint cimport int64_t, uint64_t, uint8_t
from emu.machine.pte cimport ppn
from emu.machine.ram cimport Ram
from emu.observe.model.guest_memory cimport instruction_bits
from emu.observe.unwind.stack_memory cimport stack_end
from kernel.mm.address_space cimport AddressSpace
from kernel.mm.mappings.vma cimport Vma
from kernel.mm.resolution cimport Resolution


cdef class _KnownRange:
    cdef int64_t end
    cdef object prot
    cdef bint shared
    cdef str name
    cdef uint64_t number


cdef class FaultContext:
    cdef public uint64_t seq
    cdef public uint64_t time
    cdef public uint64_t host_ns
    cdef public bint loading
    cdef public list sharers
    cdef public object heap


cdef class FaultRows:
    cdef object _kernel
    cdef object _receiver
    cdef object _locator
    cdef uint64_t[::1] _words
    cdef Py_ssize_t _start
    cdef Py_ssize_t _end
    cdef uint64_t _flags
    cdef uint64_t _stval
    cdef uint64_t[::1] _walk
    cdef Py_ssize_t _walk_words
    cdef uint8_t[::1] _register_bytes
    cdef uint64_t[::1] _registers
    cdef dict _ranges
    cdef object _handler_start

    cpdef faulting(self, AddressSpace space, uint64_t page)
    cpdef object host_ns(self)
    @cython.locals(ram=Ram, base=uint64_t, table=uint64_t, number=Py_ssize_t, level=int, shift=int, address=uint64_t, pte=uint64_t)
    cdef Py_ssize_t _take_walk(self, AddressSpace space, uint64_t va) except -1
    @cython.locals(r=Resolution, number=uint64_t, stack=uint64_t)
    cpdef write(self, object event, FaultContext context)
    @cython.locals(r=Resolution, space=AddressSpace, vma=Vma)
    cdef uint64_t _begin(self, object event) except? 1
    @cython.locals(registers="const uint8_t[::1]")
    cdef tuple _layout_and_stack(self, object thread, object pc)
    cdef _emit_details(self, object event, FaultContext context, object where)
    @cython.locals(at=Py_ssize_t)
    cdef _write_thread(self, object thread, object layout, object pc)
    @cython.locals(at=Py_ssize_t)
    cdef _write_access(self, object by, object trap, Resolution r)
    @cython.locals(at=Py_ssize_t, after=uint64_t, index=Py_ssize_t)
    cdef _write_entries(self, AddressSpace space, Resolution r)
    @cython.locals(at=Py_ssize_t)
    cdef _write_context(self, FaultContext context)
    @cython.locals(end=Py_ssize_t)
    cdef _write_registers(self, object thread)
    cdef _write_lists(self, FaultContext context, Resolution r)
    @cython.locals(at=Py_ssize_t)
    cdef _write_pairs(self, list pairs)
    @cython.locals(ram=Ram, sp=uint64_t, size=Py_ssize_t, start=Py_ssize_t)
    cdef _write_stack(self, AddressSpace space, uint64_t end)
    @cython.locals(known=_KnownRange, number=uint64_t)
    cdef uint64_t _range_number(self, Vma vma) except? 1
    cdef object _kernel_fault_pc(self, object thread, object call)


@cython.locals(flags=uint64_t)
cdef uint64_t _flags(Resolution r) except? 1

cimport cython
from libc.stdint cimport int64_t, uint64_t
from emu.machine.pte cimport ppn
from emu.machine.ram cimport Ram
from emu.machine.sv39 cimport TranslationFault
from emu.machine.trap cimport Trap
from emu.observe.model.guest_memory cimport instruction_bits
from emu.observe.model.row_buffer cimport RowBuffer
from emu.observe.record.sharers cimport sharers
from emu.observe.unwind.known_backtraces cimport KnownBacktraces
from emu.observe.unwind.stack_memory cimport stack_end
from kernel.mm.address_space cimport AddressSpace
from kernel.mm.mappings.vma cimport Vma
from kernel.mm.resolution cimport Resolution


cdef class _KnownRange:
    cdef int64_t start
    cdef int64_t end
    cdef object prot
    cdef bint shared
    cdef str name
    cdef uint64_t number


cdef class FaultRows:
    cdef object _kernel
    cdef object _receiver
    cdef object _locator
    cdef object _pids
    cdef object _now
    cdef int64_t _start_time
    cdef bint _deterministic
    cdef KnownBacktraces _known
    cdef RowBuffer _rows
    cdef uint64_t[::1] _words
    cdef Py_ssize_t _start
    cdef Py_ssize_t _end
    cdef uint64_t _flags
    cdef uint64_t _stval
    cdef int64_t _layout
    cdef uint64_t _backtrace
    cdef uint64_t[::1] _walk
    cdef Py_ssize_t _walk_words
    cdef object _refresh
    cdef uint64_t[::1] _registers
    cdef dict _ranges
    cdef _KnownRange _last_range
    cdef int64_t _handler_start
    cdef object _thread
    cdef int64_t _pid
    cdef int64_t _tid
    cdef object _sigreturn

    cpdef forget_thread(self)
    cpdef faulting(self, AddressSpace space, uint64_t page)
    @cython.locals(ram=Ram, base=uint64_t, table=uint64_t, number=Py_ssize_t, level=int, shift=int, address=uint64_t, pte=uint64_t)
    cdef Py_ssize_t _take_walk(self, AddressSpace space, uint64_t va) except -1
    @cython.locals(taken=int64_t, time=int64_t, r=Resolution, space=AddressSpace, code_space=AddressSpace, trap=Trap, number=uint64_t, stack=uint64_t, backtrace=uint64_t, at=Py_ssize_t)
    cpdef write(self, uint64_t seq, object event, object heap)
    @cython.locals(frame=uint64_t)
    cdef list _other_users(self, AddressSpace space, Resolution r)
    @cython.locals(vma=Vma)
    cdef uint64_t _begin(self, AddressSpace space, Resolution r, Trap trap) except? 1
    cdef _look_at(self, object thread)
    cdef uint64_t _find_stack(self, object thread, AddressSpace space, uint64_t pc) except? 1
    @cython.locals(at=Py_ssize_t, fault=TranslationFault, number=uint64_t, cause=uint64_t)
    cdef _write_access(self, AddressSpace space, Trap trap, Resolution r)
    @cython.locals(at=Py_ssize_t, after=uint64_t, index=Py_ssize_t)
    cdef _write_entries(self, AddressSpace space, Resolution r)
    @cython.locals(at=Py_ssize_t, index=Py_ssize_t)
    cdef _write_registers(self, object sigreturn)
    @cython.locals(at=Py_ssize_t, number=uint64_t)
    cdef _write_lists(self, list others, list around)
    @cython.locals(at=Py_ssize_t)
    cdef _write_pairs(self, list pairs)
    @cython.locals(ram=Ram, sp=uint64_t, size=Py_ssize_t, start=Py_ssize_t)
    cdef _write_stack(self, AddressSpace space, uint64_t end)
    @cython.locals(known=_KnownRange, number=uint64_t)
    cdef uint64_t _range_number(self, Vma vma) except? 1
    cdef object _kernel_fault_pc(self, object thread, object call)


@cython.locals(flags=uint64_t, access=uint64_t, outcome=uint64_t)
cdef uint64_t _flags(Resolution r) except? 1

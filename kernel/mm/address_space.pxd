from kernel.mm.memory_peaks cimport MemoryPeaks


cdef class AddressSpace(MemoryPeaks):
    cdef public object flush_tlb
    cdef public object pager
    cdef public object limits
    cdef public Py_ssize_t users
    cdef public object brk_start
    cdef public object brk
    cdef public object stack_limit
    cdef public bint alive
    cdef public bint locks_new
    cdef public bint locks_new_on_fault
    cdef public bint asks_for_barriers
    cdef public bint inherits_all
    cdef public Py_ssize_t fault_around
    cdef public object huge_pages
    cdef public bint huge_faults
    cdef public object observer
    cdef public object image

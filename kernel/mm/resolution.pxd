from libc.stdint cimport uint64_t


cdef class Resolution:
    cdef public object outcome
    cdef public uint64_t va
    cdef public object access
    cdef public uint64_t pte_before
    cdef public uint64_t pte_after
    cdef public int count_before
    cdef public bint failed
    cdef public bint table_copied
    cdef public bint middle_copied
    cdef public bint huge
    cdef public bint split
    cdef public object around

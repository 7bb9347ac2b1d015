from libc.stdint cimport int64_t


cdef class Vma:
    cdef public int64_t start
    cdef public int64_t end
    cdef public object prot
    cdef public bint shared
    cdef public object backing
    cdef public int64_t offset
    cdef public str name
    cdef public bint grows_down
    cdef public bint dont_fork
    cdef public bint wipe_on_fork
    cdef public bint locked
    cdef public bint lock_on_fault
    cdef public bint may_write
    cdef public bint has_private
    cdef public object flags
    cdef public bint soft_dirty

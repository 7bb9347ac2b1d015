cimport cython
from kernel.mm.resolution cimport Resolution


cdef class Stats:
    cdef public Py_ssize_t processes
    cdef public Py_ssize_t forks
    cdef list _faults
    cdef public Py_ssize_t major_faults
    cdef public Py_ssize_t frames_copied
    cdef public Py_ssize_t frames_copied_at_forks
    cdef public Py_ssize_t frames_reused
    cdef public Py_ssize_t eager_frames_copied
    cdef public Py_ssize_t tables_shared
    cdef public Py_ssize_t tables_copied
    cdef public Py_ssize_t middle_tables_shared
    cdef public Py_ssize_t middle_tables_copied
    cdef public Py_ssize_t ptes_written
    cdef public Py_ssize_t mapped_around
    cdef public Py_ssize_t huge_mapped
    cdef public Py_ssize_t calls

    @cython.locals(number=Py_ssize_t)
    cpdef fault(self, Resolution resolution)

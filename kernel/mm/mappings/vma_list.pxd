cimport cython
from libc.stdint cimport int64_t
from kernel.mm.mappings.vma cimport Vma
from kernel.mm.physical.frames cimport Frames


cdef class VmaList:
    cdef readonly Frames frames
    cdef public list vmas
    cdef public object mmap_top
    cdef public int64_t mapped_bytes
    cdef public int64_t data_bytes
    cdef public int64_t locked_bytes
    cdef list _starts
    cdef Py_ssize_t _last_found
    cdef object _free

    @cython.locals(address=int64_t, vmas=list, index=Py_ssize_t, vma=Vma)
    cpdef Vma find(self, object va)
    cpdef inherit(self, VmaList parent)

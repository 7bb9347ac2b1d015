from kernel.mm.mappings.vma_list cimport VmaList
from kernel.mm.page_tables.page_table cimport PageTable


cdef class MemoryPeaks(VmaList):
    cdef public PageTable table
    cdef public Py_ssize_t virtual_peak
    cdef public Py_ssize_t resident_bound
    cdef Py_ssize_t _resident_peak

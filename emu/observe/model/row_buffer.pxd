cdef class RowBuffer:
    cdef readonly object words
    cdef public Py_ssize_t at
    cdef public Py_ssize_t end
    cdef public Py_ssize_t first
    cdef public Py_ssize_t number
    cdef object _on_full
    cdef object _on_row

    cpdef Py_ssize_t start(self) except -1
    cpdef finish(self, Py_ssize_t end)

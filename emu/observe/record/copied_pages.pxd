cimport cython
from libc.stdint cimport int64_t, uint64_t
from emu.machine.pte cimport ppn
from emu.machine.ram cimport Ram
from emu.observe.record.usage_loops cimport different_bytes
from kernel.mm.address_space cimport AddressSpace
from kernel.mm.resolution cimport Resolution


cdef class Copy:
    cdef int64_t fault
    cdef int64_t pid
    cdef uint64_t[::1] content

    @cython.locals(start=Py_ssize_t)
    cdef take(self, Ram ram, uint64_t frame)
    @cython.locals(start=Py_ssize_t)
    cdef Py_ssize_t changed_bytes(self, Ram ram, uint64_t frame) except? 1


cdef class _Parts:
    cdef Py_ssize_t left
    cdef Py_ssize_t changed


cdef class CopiedPages:
    cdef object _receive
    cdef dict _copies
    cdef dict _parts
    cdef list _spare

    @cython.locals(start=int64_t, each=int64_t)
    cpdef add(self, AddressSpace space, Resolution r, int64_t fault, int64_t pid)
    @cython.locals(copy=Copy, frame=uint64_t, pages=dict, previous=Copy, changed=Py_ssize_t)
    cdef _add(self, AddressSpace space, uint64_t page, int64_t fault, int64_t pid)
    cdef _on_retired(self, list retired, str why)
    @cython.locals(parts=_Parts)
    cpdef object _summed(self, object page)
    @cython.locals(copy=Copy)
    cpdef transfer(self, AddressSpace space, int64_t pid, int64_t to)
    @cython.locals(page=uint64_t, copy=Copy, pte=uint64_t, changed=Py_ssize_t)
    cdef _retire(self, AddressSpace space, list pages, str why)

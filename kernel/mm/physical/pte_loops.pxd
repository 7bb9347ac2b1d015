cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t


cpdef bint in_loops(Py_ssize_t tables)

@cython.locals(at=Py_ssize_t)
cpdef bint maps_a_page(uint64_t[::1] words, Py_ssize_t first, Py_ssize_t last)

@cython.locals(offset=Py_ssize_t, pte=uint64_t, index=int64_t, mapped=Py_ssize_t, private=Py_ssize_t)
cpdef tuple share(
    uint64_t[::1] words, Py_ssize_t source, Py_ssize_t target, Py_ssize_t number, uint64_t mask,
    int32_t[::1] counts, uint8_t[::1] kinds, uint8_t[::1] marks, int64_t base,
)

@cython.locals(at=Py_ssize_t, pte=uint64_t, lost=Py_ssize_t)
cpdef Py_ssize_t take_w(uint64_t[::1] words, Py_ssize_t first, Py_ssize_t last, uint64_t cow) except? -1

@cython.locals(at=Py_ssize_t, pte=uint64_t, ppn=int64_t, mapped=Py_ssize_t, private=Py_ssize_t, zeroes=Py_ssize_t)
cpdef tuple count(
    uint64_t[::1] words, Py_ssize_t first, Py_ssize_t last,
    uint8_t[::1] kinds, int64_t base, int64_t zero,
)

@cython.locals(at=Py_ssize_t, pte=uint64_t, index=int64_t, left=int32_t, mapped=Py_ssize_t)
cpdef tuple release(
    uint64_t[::1] words, Py_ssize_t first, Py_ssize_t last,
    int32_t[::1] counts, int64_t base, int64_t[::1] freed, Py_ssize_t before,
)

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t


@cython.locals(table=Py_ssize_t, at=Py_ssize_t, pte=uint64_t, index=int64_t)
cpdef add_users(
    uint64_t[::1] words, list tables,
    uint8_t[::1] kinds, int32_t[::1] users, int64_t base,
)

@cython.locals(table=Py_ssize_t, at=Py_ssize_t, pte=uint64_t, index=int64_t, resident=Py_ssize_t, unique=Py_ssize_t, proportional=double)
cpdef tuple usage_of_tables(
    uint64_t[::1] words, list tables, uint8_t[::1] kinds, int32_t[::1] users, int64_t base,
)

@cython.locals(at=Py_ssize_t, pte=uint64_t, index=int64_t, resident=Py_ssize_t, unique=Py_ssize_t, proportional=double, users=int32_t)
cpdef tuple usage_from_counts(
    uint64_t[::1] words, Py_ssize_t table, int32_t others,
    uint8_t[::1] kinds, int32_t[::1] counts, int64_t base,
)

@cython.locals(at=Py_ssize_t, pte=uint64_t)
cpdef list pages_of_frame(uint64_t[::1] words, Py_ssize_t table, uint64_t frame)

@cython.locals(at=Py_ssize_t, bits=uint64_t, found=Py_ssize_t)
cpdef Py_ssize_t different_bytes(const uint64_t[::1] before, uint64_t[::1] words, Py_ssize_t page) except? -1

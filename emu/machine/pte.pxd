from libc.stdint cimport uint64_t


cpdef int vpn(uint64_t va, int level) noexcept
cpdef bint is_canonical(uint64_t va) noexcept
cpdef uint64_t ppn(uint64_t pte) noexcept
cpdef uint64_t make_pte(uint64_t frame, uint64_t flags) noexcept
cpdef bint is_leaf(uint64_t pte) noexcept

from libc.stdint cimport uint64_t
from kernel.mm.physical cimport pte_loops
from kernel.mm.physical.frame_runs cimport FrameRuns


cdef class TableFrames(FrameRuns):
    cdef readonly uint64_t zero

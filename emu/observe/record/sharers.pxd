cimport cython
from libc.stdint cimport int64_t, uint64_t
from emu.machine.pte cimport ppn
from emu.observe.record.usage_loops cimport pages_of_frame
from kernel.mm.address_space cimport AddressSpace
from kernel.mm.page_tables.page_table cimport PageTable
from kernel.mm.physical.frames cimport Frames


@cython.locals(found=list, entries=set, other=AddressSpace, pte=uint64_t)
cpdef list sharers(object pids, AddressSpace space, uint64_t page, uint64_t frame, Py_ssize_t users)
@cython.locals(table=PageTable, frames=Frames, index=int64_t, start=int64_t)
cdef list _addresses_of(AddressSpace space, uint64_t frame)

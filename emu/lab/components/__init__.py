"""Components of the kernel and the machine that call a student's code: MMU, TLB, allocator, page
table, page-fault handler, fork.

May import ``emu.lab.host``, ``emu.lab.text``, ``emu.lab.kit``, the kernel and the machine.
"""

from emu.compilation.finder import is_compiled

if is_compiled():
    raise ImportError("labs need pure Python: set EMU_PURE=1 before emu is imported")

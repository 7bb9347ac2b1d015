"""Unicorn's own Sv39 MMU, as an oracle that shares no code with ours.

``uc_vmem_translate`` is exported by Unicorn's library but has no Python wrapper.
"""

from __future__ import annotations

import ctypes
from typing import Any

from unicorn import riscv_const as rv
from unicorn import unicorn_const as uc
from unicorn.unicorn_py3 import unicorn as binding

from emu.machine.cause import Access
from emu.machine.ram import Ram
from emu.machine.sv39 import Privilege

_MACHINE = 3
_SUM, _MXR = 1 << 18, 1 << 19
_PROTECTION = {
    Access.FETCH: uc.UC_PROT_EXEC,
    Access.LOAD: uc.UC_PROT_READ,
    Access.STORE: uc.UC_PROT_WRITE,
}


class UnicornMmu:
    """Translates with Unicorn's page walk over the page tables in ``ram``."""

    def __init__(self, ram: Ram) -> None:
        self._uc = binding.Uc(uc.UC_ARCH_RISCV, uc.UC_MODE_RISCV64)
        self._uc.mem_map_ptr(ram.base, ram.size, uc.UC_PROT_ALL, ram.host_address)
        self._uc.ctl_set_tlb_mode(uc.UC_TLB_CPU)
        self._translate: Any = binding.uclib.uc_vmem_translate
        self._translate.argtypes = (
            *(ctypes.c_void_p, ctypes.c_uint64),
            *(ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)),
        )
        self._pa = ctypes.c_uint64()

    def set_state(self, satp: int, privilege: Privilege, *, sum_: bool, mxr: bool) -> None:
        """Sets the CSRs of translation from M-mode, where a write is not ignored."""
        self._uc.reg_write(rv.UC_RISCV_REG_PRIV, _MACHINE)
        self._uc.reg_write(rv.UC_RISCV_REG_SATP, satp)
        self._uc.reg_write(rv.UC_RISCV_REG_MSTATUS, sum_ * _SUM | mxr * _MXR)
        self._uc.reg_write(rv.UC_RISCV_REG_PRIV, privilege)
        self.flush()

    def translate(self, va: int, access: Access) -> int | None:
        """The physical address, or None when the access is not allowed."""
        status = self._translate(self._uc._uch, va, _PROTECTION[access], ctypes.byref(self._pa))
        return self._pa.value if status == uc.UC_ERR_OK else None

    def flush(self) -> None:
        """Flushes cached translations after a change of the tables."""
        self._uc.ctl(uc.UC_CTL_TLB_FLUSH, uc.UC_CTL_IO_WRITE)

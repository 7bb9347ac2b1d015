"""Unicorn's C interface, by ctypes.

Only the library in Unicorn's Python package is used: importing the package would take a tenth of
the start of a command. The constants are those of unicorn.h, with its names.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.machinery import PathFinder
from typing import Any, Final

UC_ERR_OK: Final = 0
UC_ERR_EXCEPTION: Final = 21
UC_MEM_READ: Final = 16
UC_MEM_WRITE: Final = 17
UC_MEM_FETCH: Final = 18
UC_PROT_READ: Final = 1
UC_PROT_WRITE: Final = 2
UC_PROT_EXEC: Final = 4
UC_PROT_ALL: Final = 7
UC_TLB_VIRTUAL: Final = 1

UC_HOOK_INTR: Final = 1
UC_HOOK_CODE: Final = 4
UC_HOOK_BLOCK: Final = 8
UC_HOOK_INSN_INVALID: Final = 1 << 14
UC_HOOK_EDGE_GENERATED: Final = 1 << 15
UC_HOOK_TLB_FILL: Final = 1 << 17

UC_CTL_UC_USE_EXITS: Final = 4
UC_CTL_UC_EXITS: Final = 6
UC_CTL_TB_FLUSH: Final = 10
UC_CTL_TLB_FLUSH: Final = 11
UC_CTL_TLB_TYPE: Final = 12
UC_CTL_IO_WRITE: Final = 1

UC_RISCV_REG_X0: Final = 1
UC_RISCV_REG_FCSR: Final = 43
UC_RISCV_REG_MSTATUS: Final = 116
UC_RISCV_REG_F0: Final = 158
UC_RISCV_REG_PC: Final = 190
UC_RISCV_REG_PRIV: Final = 191

_UC_ARCH_RISCV = 8
_UC_MODE_RISCV64 = 8
_FILE = "libunicorn.2.dylib" if sys.platform == "darwin" else "libunicorn.so.2"
_PARAMETERS: Final[dict[str, tuple[Any, ...]]] = {
    "uc_mem_map_ptr": (ctypes.c_uint64, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_void_p),
    "uc_emu_start": (ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t),
    "uc_emu_stop": (),
    "uc_reg_read": (ctypes.c_int, ctypes.c_void_p),
    "uc_reg_write": (ctypes.c_int, ctypes.c_void_p),
    "uc_reg_read_batch": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
    "uc_reg_write_batch": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
    "uc_close": (),
}
"""Parameters after the handle. Those of variadic functions are not declared."""


def _load() -> Any:
    spec = PathFinder.find_spec("unicorn")
    if spec is None or spec.origin is None:
        raise ImportError("the package unicorn is missing")
    try:
        library = _open(os.path.join(os.path.dirname(spec.origin), "lib", _FILE))
    except OSError as error:
        raise ImportError(str(error)) from None
    for name, parameters in _PARAMETERS.items():
        getattr(library, name).argtypes = (ctypes.c_void_p, *parameters)
    return library


def _open(path: str) -> ctypes.CDLL:
    """Loads a library. Its functions are bound when they are first called, which ctypes does not
    offer: to bind all of them takes half of the time of loading.
    """
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    handle = dlopen(os.fsencode(path), os.RTLD_LAZY)
    return ctypes.CDLL(path, handle=handle)  # without a handle ctypes loads it, and says what fails


LIBRARY: Any = _load()


class Unicorn:
    """An emulated RV64 processor; ``handle`` is Unicorn's ``uc_engine *``."""

    def __init__(self) -> None:
        self.handle = ctypes.c_void_p()
        self._close = LIBRARY.uc_close
        self._check(LIBRARY.uc_open(_UC_ARCH_RISCV, _UC_MODE_RISCV64, ctypes.byref(self.handle)))

    def __del__(self) -> None:
        if self.handle:
            self._close(self.handle)

    @staticmethod
    def _check(status: int) -> None:
        if status != UC_ERR_OK:
            raise RuntimeError(f"Unicorn failed with error {status}")

    def map_memory(self, base: int, size: int, host_address: int) -> None:
        """Makes [base, base + size) of physical memory that at ``host_address``."""
        self._check(LIBRARY.uc_mem_map_ptr(self.handle, base, size, UC_PROT_ALL, host_address))

    def control(self, setting: int, *values: Any) -> None:
        """Writes a setting, ``UC_CTL_...``, whose values are of ctypes types."""
        code = UC_CTL_IO_WRITE << 30 | len(values) << 26 | setting
        self._check(LIBRARY.uc_ctl(self.handle, ctypes.c_int(code), *values))

    def write_register(self, register: int, value: int) -> None:
        """Writes a register, ``UC_RISCV_REG_...``, of 64 bits."""
        cell = ctypes.c_uint64(value)
        self._check(LIBRARY.uc_reg_write(self.handle, register, ctypes.byref(cell)))

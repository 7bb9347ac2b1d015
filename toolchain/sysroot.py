"""Finds the cross compiler's sysroot, in most cases without running the compiler."""

from __future__ import annotations

import os

from toolchain.errors import ToolchainNotFoundError
from toolchain.interpreters import INTERPRETERS

_USUAL = ("/usr/riscv64-linux-gnu", "/usr/riscv64-linux-gnu/sys-root")
"""Those of riscv64-linux-gnu-gcc in distributions; running the compiler takes 30 ms."""


def sysroot() -> str | None:
    """The directory whose lib/ has the cross compiler's dynamic linker; None without one."""
    if not os.environ.get("RISCV_PREFIX"):
        for root in _USUAL:
            if os.path.exists(os.path.join(root, "lib", INTERPRETERS[0])):
                return root
    from toolchain.find import find  # its imports take longer than the rest

    try:
        found = find().sysroot
    except ToolchainNotFoundError:
        return None
    return None if found is None else str(found)

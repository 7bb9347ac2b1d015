"""Names of the dynamic linkers."""

from __future__ import annotations

INTERPRETERS = ("ld-linux-riscv64-lp64d.so.1", "ld-musl-riscv64.so.1")
"""Dynamic linkers that a program may name as its interpreter, in lib/ of the sysroot."""

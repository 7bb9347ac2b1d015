"""Instructions as text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


class Disassembler:
    """RV64GC, by Capstone, which is imported on first use."""

    def __init__(self) -> None:
        from capstone import CS_ARCH_RISCV, CS_MODE_RISCV64, CS_MODE_RISCVC, Cs

        make: Any = Cs
        self._capstone = make(CS_ARCH_RISCV, CS_MODE_RISCV64 | CS_MODE_RISCVC)

    def text(self, code: bytes | None, pc: int) -> str:
        """Such as ``sd a5, 8(a0)``; ``?`` if ``code`` is None, ``.word`` for an invalid
        instruction.
        """
        if code is None:
            return "?"
        for _, _, mnemonic, operands in self._capstone.disasm_lite(code, pc, 1):
            return f"{mnemonic} {operands}".rstrip()
        return f".{'short' if len(code) == 2 else 'word'} {int.from_bytes(code, 'little'):#x}"


@lru_cache(maxsize=1)
def disassembler() -> Disassembler:
    return Disassembler()

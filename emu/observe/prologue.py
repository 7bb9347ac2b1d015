"""How to find a function's caller from its own code, where the file says nothing about it.

A compiler's function moves sp down once and saves ra, and s0, at fixed offsets; what was done up to
a pc is seen by reading the code from the function's start. After a return the frame is again as
before the epilogue that led to it, for what follows was jumped to from within the body.

RISC-V unprivileged spec, chapters "RV64I" and "C": addi, sd, c.addi, c.addi16sp, c.sdsp.
"""

from __future__ import annotations

from emu.machine.decode import instruction_length
from emu.observe.cfi_program import Rule

_RA, _SP, _FP = 1, 2, 8
_LONGEST = 1 << 14
"""Bytes of a function that are read."""
_RET = 0x8082
_JR = 0x8002


def prologue_rule(code: bytes) -> Rule | None:
    """The rule after ``code``, which begins a function; None when it is no compiler's usual one."""
    if len(code) > _LONGEST:
        return None
    frame, saved = 0, {_RA: None, _FP: None}
    body = frame, saved
    at = 0
    while at + 2 <= len(code):
        size = instruction_length(code[at])
        bits = int.from_bytes(code[at : at + size], "little")
        moved = _moves_sp(bits)
        if moved is None:
            return None
        if moved < 0:
            frame -= moved
            body = frame, saved
        elif moved > 0:
            frame -= moved
        store = _stores(bits)
        if store is not None and store[0] in saved and saved[store[0]] is None:
            saved = {**saved, store[0]: store[1] - frame}
            body = frame, saved
        if frame < 0:
            return None
        if _leaves(bits):
            frame, saved = body
        at += size
    return Rule(_SP, frame, saved[_RA], saved[_FP], False)

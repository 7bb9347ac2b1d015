"""The unwinder: finds return addresses on a stack.

It uses call frame information. For functions without it: the frame pointer (RISC-V ELF psABI,
"Frame Pointer Convention": fp is the caller's sp, ra is at fp - 8, the caller's fp at fp - 16), as
in Linux's arch/riscv/kernel/stacktrace.c; ra for a leaf function; and signal frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emu.machine.registers import FP, RA, SP
from emu.observe.cfi.cfi_program import Rule

_RuleAt = Callable[[int], Rule | None]
_Read64 = Callable[[int], int | None]
_State = tuple[int, int | None, int, int]
"""State of a caller: pc, ra (None when the callee had it), sp, fp."""

_LARGEST_FRAME = 8 << 20
"""Usual limit of a stack's size (RLIMIT_STACK)."""
_LARGEST_FUNCTION = 4096
"""Size that most functions are below."""
_CONTEXT = 128 + 176
"""Offset in struct rt_sigframe from sp to the interrupted pc, x1, x2, …"""


def unwind(
    rule_at: _RuleAt,
    read64: _Read64,
    pc: int,
    ra: int,
    sp: int,
    fp: int,
    limit: int = 32,
    sigreturn: int | None = None,
) -> list[int]:
    """Returns the return addresses, innermost first, at most ``limit``.

    ``rule_at`` is called for ``pc``, and for the byte before each return address, since a call can
    be a function's last instruction. Signal handlers return to ``sigreturn``, which may not be in
    memory yet; the address that follows it is the interrupted pc itself.
    The list ends where a caller cannot be determined, so the outermost callers may be missing.
    """
    calls: list[int] = []
    lookup_pc, uncertain = pc, False
    live_ra: int | None = ra
    fp_slot: int | None = None  # where the caller's fp is saved: few ask for it
    while len(calls) < limit:
        rule = rule_at(lookup_pc)
        if fp_slot is not None and (rule is None or rule[0] != SP):
            fp, fp_slot = read64(fp_slot) or 0, None
        if rule is None:
            state = _FrameGuess(rule_at, read64, sigreturn).caller(lookup_pc, live_ra, sp, fp)
            if state is None:
                break
            return_address, live_ra, sp, fp = state
            uncertain = live_ra is None
            lookup_pc = return_address - 1 if uncertain else return_address
            calls.append(return_address)
            continue
        register, offset, ra_at, fp_at, outermost, certain = rule
        if register == SP:
            cfa = sp + offset
        elif register == FP:
            cfa = fp + offset
        else:
            break
        if outermost or cfa < sp or (cfa == sp and live_ra is None):
            break
        found = live_ra if ra_at is None else read64(cfa + ra_at)
        if (
            not found
            or found & 1
            or (
                (uncertain or not certain)
                and not _FrameGuess(rule_at, read64, sigreturn).is_return(found)
            )
        ):
            break
        if fp_at is not None:
            fp_slot = cfa + fp_at
        calls.append(found)
        lookup_pc, sp, live_ra, uncertain = found - 1, cfa, None, False
    return calls


class _FrameGuess(NamedTuple):
    """Finds the callers of functions that have no call frame information."""

    rule_at: _RuleAt
    read64: _Read64
    sigreturn: int | None

    def caller(self, lookup_pc: int, ra: int | None, sp: int, fp: int) -> _State | None:
        """Returns None for an unknown caller. ``ra`` is None for a function that made a call."""
        if self.sigreturn is not None and lookup_pc + (ra is None) == self.sigreturn:
            return self._interrupted(sp)
        if ra is None:
            return self._by_frame_pointer(sp, fp)
        return self._innermost(lookup_pc, ra, sp, fp)

    def _interrupted(self, sp: int) -> _State | None:
        """Reads the interrupted state from the signal frame at ``sp``."""
        pc, ra, old_sp, fp = (self.read64(sp + _CONTEXT + 8 * x) for x in (0, RA, SP, FP))
        if not pc or ra is None or old_sp is None or fp is None:
            return None
        return pc, ra, old_sp, fp

    def _by_frame_pointer(self, sp: int, fp: int) -> _State | None:
        return_address = self.read64(fp - 8) if _is_frame(fp, sp) else None
        if return_address is None or not self.is_return(return_address):
            return None
        return return_address, None, fp, self.read64(fp - 16) or 0

    def _innermost(self, pc: int, ra: int, sp: int, fp: int) -> _State | None:
        """Finds the caller of the innermost function, which may have set up a frame or not.

        So fp may be its own or its caller's, and ra may be its return address or a value left by a
        function that it called.
        """
        leaf: _State | None = (ra, None, sp, fp) if self.is_return(ra) else None
        saved = self.read64(fp - 8) if _is_frame(fp, sp) else None
        if saved is None:
            return leaf
        if leaf is None or saved == ra:
            return self._by_frame_pointer(sp, fp)
        rule = self.rule_at(ra - 1)
        if (rule is None or rule.register == FP) and _is_frame(saved, fp):
            return ra, None, fp, saved
        if rule is None and abs(pc - ra) < _LARGEST_FUNCTION:
            return self._by_frame_pointer(sp, fp) or leaf
        return leaf

    def is_return(self, address: int) -> bool:
        """Returns True if an instruction that sets ra (jal, jalr, c.jalr) precedes ``address``."""
        if address == self.sigreturn:
            return True
        code = self.read64(address - 8) if address & 1 == 0 and address >= 8 else None
        if code is None:
            return False
        # Masks, not the decoder: this is done for each word of a stack.
        short, long = code >> 48, code >> 32
        if short & 0xF07F == 0x9002 and short & 0xF80:
            return True
        return long & 0xFFF == 0x0EF or long & 0x7FFF == 0x00E7


def _is_frame(fp: int, sp: int) -> bool:
    """Returns True if ``fp`` can be the frame pointer of a function with this ``sp``."""
    return fp & 15 == 0 and sp < fp <= sp + _LARGEST_FRAME

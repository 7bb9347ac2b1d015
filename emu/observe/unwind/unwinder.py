"""The calls that a program is in: return addresses, found on its stack.

Call frame information tells most. Where a function has none: RISC-V ELF psABI, "Frame Pointer
Convention" (fp is the caller's sp; ra is at fp - 8, the caller's fp at fp - 16), as Linux uses it
in arch/riscv/kernel/stacktrace.c; a leaf function, whose caller ra has; and a signal's frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emu.machine.registers import FP, RA, SP
from emu.observe.cfi.cfi_program import Rule

_RuleAt = Callable[[int], Rule | None]
_Read64 = Callable[[int], int | None]
_State = tuple[int, int | None, int, int]
"""Of a caller: where it goes on, ra (None when its callee had that), sp, fp."""

_LARGEST_FRAME = 8 << 20
"""A stack's usual limit."""
_LARGEST_FUNCTION = 4096
"""What most functions are smaller than."""
_CONTEXT = 128 + 176
"""struct rt_sigframe: from sp to the interrupted pc, x1, x2, …"""


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
    """Return addresses, from the innermost caller outwards, at most ``limit``.

    ``rule_at`` is asked about ``pc``, and about the byte before each return address: a call can be
    a function's last instruction. Signal handlers return to ``sigreturn``, which may not be in
    memory yet; the address behind that is the interrupted pc itself.
    The list ends where nothing is known of a caller, so it may lack the outermost.
    """
    calls: list[int] = []
    look, guessed = pc, False
    live: int | None = ra
    fp_slot: int | None = None  # where the caller's fp is saved: few ask for it
    while len(calls) < limit:
        rule = rule_at(look)
        if fp_slot is not None and (rule is None or rule[0] != SP):
            fp, fp_slot = read64(fp_slot) or 0, None
        if rule is None:
            state = _Guess(rule_at, read64, sigreturn).caller(look, live, sp, fp)
            if state is None:
                break
            back, live, sp, fp = state
            guessed = live is None
            look = back - 1 if guessed else back
            calls.append(back)
            continue
        register, offset, ra_at, fp_at, outermost, certain = rule
        if register == SP:
            cfa = sp + offset
        elif register == FP:
            cfa = fp + offset
        else:
            break
        if outermost or cfa < sp or (cfa == sp and live is None):
            break
        found = live if ra_at is None else read64(cfa + ra_at)
        if (
            not found
            or found & 1
            or (
                (guessed or not certain) and not _Guess(rule_at, read64, sigreturn).is_return(found)
            )
        ):
            break
        if fp_at is not None:
            fp_slot = cfa + fp_at
        calls.append(found)
        look, sp, live, guessed = found - 1, cfa, None, False
    return calls


class _Guess(NamedTuple):
    """Finds the callers of functions that have no call frame information."""

    rule_at: _RuleAt
    read64: _Read64
    sigreturn: int | None

    def caller(self, look: int, ra: int | None, sp: int, fp: int) -> _State | None:
        """None when there is no telling; ``ra`` is None for a function that made a call."""
        if self.sigreturn is not None and look + (ra is None) == self.sigreturn:
            return self._interrupted(sp)
        if ra is None:
            return self._by_frame_pointer(sp, fp)
        return self._innermost(look, ra, sp, fp)

    def _interrupted(self, sp: int) -> _State | None:
        """What a signal interrupted, by its frame at ``sp``."""
        pc, ra, old_sp, fp = (self.read64(sp + _CONTEXT + 8 * x) for x in (0, RA, SP, FP))
        if not pc or ra is None or old_sp is None or fp is None:
            return None
        return pc, ra, old_sp, fp

    def _by_frame_pointer(self, sp: int, fp: int) -> _State | None:
        back = self.read64(fp - 8) if _is_frame(fp, sp) else None
        if back is None or not self.is_return(back):
            return None
        return back, None, fp, self.read64(fp - 16) or 0

    def _innermost(self, pc: int, ra: int, sp: int, fp: int) -> _State | None:
        """It may keep a frame pointer, and ra there unless it is a leaf, or it may do neither.

        So fp may be its own or the caller's, and ra may be its caller or left by what it called.
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
        """Whether a call that sets ra (jal, jalr, c.jalr) is before ``address``."""
        if address == self.sigreturn:
            return True
        code = self.read64(address - 8) if address & 1 == 0 and address >= 8 else None
        if code is None:
            return False
        short, long = code >> 48, code >> 32
        if short & 0xF07F == 0x9002 and short & 0xF80:
            return True
        return long & 0xFFF == 0x0EF or long & 0x7FFF == 0x00E7


def _is_frame(fp: int, sp: int) -> bool:
    """Whether ``fp`` can be the frame pointer of a function whose stack pointer is ``sp``."""
    return fp & 15 == 0 and sp < fp <= sp + _LARGEST_FRAME

"""Failure messages of the lab ``walk``: a drawing of the walk, and both results."""

from __future__ import annotations

from emu.lab.host.failures import StudentFailed, Unimplemented, place_text
from emu.lab.kit.values import Access, Fault, Mode, Privilege, Translation
from emu.lab.labs.walk.translations import Answer, Bench, Case, Verdict
from emu.lab.simulation.differential import Failure
from emu.machine.pte import (
    MODE_BARE,
    PAGE_SHIFT,
    PPN_MASK,
    RESERVED,
    VPN_BITS,
    V,
    flags_text,
    is_canonical,
    is_leaf,
    ppn,
)
from emu.machine.sv39 import Rule, Step

_STEPS = {
    Rule.NON_CANONICAL: "before step 1",
    Rule.TABLE_OUTSIDE_RAM: "step 2",
    Rule.INVALID: "step 3",
    Rule.WRITE_WITHOUT_READ: "step 3",
    Rule.RESERVED_BITS: "step 3",
    Rule.POINTER_WITH_FLAGS: "step 4",
    Rule.NO_LEAF: "step 4",
    Rule.MISALIGNED_SUPERPAGE: "step 5",
    Rule.NOT_USER: "step 6",
    Rule.USER_PAGE_FROM_SUPERVISOR: "step 6",
    Rule.USER_PAGE_FETCHED_BY_SUPERVISOR: "step 6",
    Rule.NOT_READABLE: "step 8",
    Rule.NOT_WRITABLE: "step 8",
    Rule.NOT_EXECUTABLE: "step 8",
    Rule.PAGE_OUTSIDE_RAM: "step 10",
}
"""The step of the privileged spec's section 10.3.2 at which a rule stops a translation, numbered as
the lab's file numbers them.
"""
_SIZES = ("", "2 MiB from ", "1 GiB from ")


def to_failure(name: str, bench: Bench, verdict: Verdict) -> Failure:
    """Converts a wrong result to a failure with the given name."""
    case, found = verdict.case, verdict.found
    if isinstance(found, Unimplemented):
        return Failure(found.name, found.headline, found.details)
    lines = drawing(case, bench.walk(case))
    if isinstance(found, StudentFailed):
        return Failure(
            found.name, f"{found.headline}   {_access_text(case)}", [*found.details, *lines]
        )
    if found != verdict.expected:
        lines.append(f"your result    {_answer(found, verdict.expected)}")
        lines.append(f"specification  {_answer(verdict.expected, found)}{_reason(verdict)}")
    lines += _stores(verdict)
    return Failure(name, _access_text(case), lines)


def _access_text(case: Case) -> str:
    what = {Access.FETCH: "fetch from", Access.LOAD: "load from", Access.STORE: "store to"}
    return f"{what[case.access]} {case.va:#x} in {_mode(case.mode)}"


def _mode(mode: Mode) -> str:
    words = ["U-mode" if mode.privilege is Privilege.USER else "S-mode"]
    words += [word for word, on in (("SUM", mode.sum), ("MXR", mode.mxr)) if on]
    return words[0] + (f" with {' and '.join(words[1:])}" if words[1:] else "")


# The drawing.


def drawing(case: Case, walk: tuple[Step, ...]) -> list[str]:
    """One line for each PTE that the walk reads: level, index, the PTE's address, the PTE."""
    if case.satp >> 60 == MODE_BARE:
        return [f"satp {case.satp:#x}: bare mode, no page tables"]
    root, asid = case.satp & PPN_MASK, case.satp >> 44 & 0xFFFF
    lines = [f"satp {case.satp:#x}: Sv39, ASID {asid}, root table in frame {root:#x}"]
    if not is_canonical(case.va):
        return [*lines, f"bits 63-38 of the address: {case.va >> 38:#028b}"]
    return lines + [_step(step) for step in walk]


def _step(step: Step) -> str:
    where = f"level {step.level}  index {step.vpn:3}  PTE at {step.address:#x}"
    if step.pte is None:
        return f"{where}  outside memory"
    return f"{where}  {_pte(step.pte)}{_target(step.pte, step.level)}"


def _pte(pte: int) -> str:
    return f"{pte:#018x} {_flags(pte)}"


def _flags(pte: int) -> str:
    """All flags of a PTE, valid or not."""
    flags = flags_text(pte | V) + ("V" if pte & V else "-")
    return f"{flags} bits 63-54: {pte >> 54:#x}" if pte & RESERVED else flags


def _target(pte: int, level: int) -> str:
    if not pte & V:
        return ""
    if not is_leaf(pte):
        return f" → table {ppn(pte):#x}"
    return f" → {_SIZES[level]}frame {ppn(pte):#x}"


# The results.


def _answer(answer: Answer, other: Answer | StudentFailed) -> str:
    """Text of a result; of two translations, only the fields that differ."""
    if isinstance(answer, Fault):
        return answer.value
    parts = {
        "pa": f"physical address {answer.pa:#x}",
        "pte": f"PTE {_pte(answer.pte)}" if answer.pte >= 0 else f"PTE {answer.pte}",
        "level": f"level {answer.level}",
    }
    if isinstance(other, Translation):
        parts = {n: text for n, text in parts.items() if getattr(answer, n) != getattr(other, n)}
    return ", ".join(parts.values())


def _reason(verdict: Verdict) -> str:
    if verdict.rule is not None:
        return f" ({_STEPS[verdict.rule]}): {verdict.rule.value}"
    assert isinstance(verdict.expected, Translation)
    if verdict.case.satp >> 60 == MODE_BARE:
        return " (bare mode)"
    found = verdict.found
    if isinstance(found, Translation):
        if found.pa == verdict.expected.pa and found.level == verdict.expected.level:
            return " (step 9)"
        bits = PAGE_SHIFT + VPN_BITS * verdict.expected.level
        return f" (step 10): at level {verdict.expected.level} the offset has {bits} bits"
    return ": all steps allow it"


def _stores(verdict: Verdict) -> list[str]:
    """Errors of the PTEs in memory, and the lines of code that wrote them."""
    lines = []
    for address, (found, expected) in sorted(verdict.changed.items()):
        lines.append(f"the PTE at {address:#x} is now     {_pte(found)}")
        after = ", because the access faults" if verdict.rule is not None else ""
        lines.append(f"by step 9 it should be {' ' * len(f'{address:x}')}  {_pte(expected)}{after}")
        lines.append(_writer(verdict, address))
    if verdict.needless and not verdict.changed:
        for address in sorted(verdict.stored):
            lines.append(f"the PTE at {address:#x} was written, but needs no change (step 9)")
            lines.append(_writer(verdict, address))
    return lines


def _writer(verdict: Verdict, address: int) -> str:
    place = verdict.stored.get(address)
    if place is None:
        return f"your code did not write it (expected memory.store({address:#x}, …))"
    return f"your code wrote it at {place_text(place)}"

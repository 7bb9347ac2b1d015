"""Drawing of a page-table walk: satp, the address, each entry, and the result.

The fields are those of the privileged spec (version 20240411): satp 10.1.11, the virtual address
and the PTE 10.4.1, the walk 10.3.2.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from emu.machine.cause import Access
from emu.machine.pte import (
    ASID_MASK,
    LEVELS,
    MODE_BARE,
    PAGE_MASK,
    PAGE_SHIFT,
    PPN_MASK,
    RESERVED,
    RSW0,
    RSW1,
    VPN_BITS,
    A,
    D,
    G,
    R,
    U,
    V,
    W,
    X,
    is_canonical,
    is_leaf,
    ppn,
    vpn,
)
from emu.machine.sv39 import Mmu, Rule, Step, Translation, TranslationFault

WIDTH = 80
_LABEL = 11
_MODES = {MODE_BARE: "Bare", 8: "Sv39", 9: "Sv48", 10: "Sv57"}
_SIZES = ("a page of 4 KiB", "a superpage of 2 MiB", "a superpage of 1 GiB")
_FLAGS = (
    (V, "V valid"),
    (R, "R readable"),
    (W, "W writable"),
    (X, "X executable"),
    (U, "U user"),
    (G, "G global"),
    (A, "A accessed"),
    (D, "D dirty"),
)
COPY_ON_WRITE = "copy-on-write"
"""Meaning of RSW0 in this kernel (:data:`kernel.mm.page_tables.page_table.COW`)."""


class Walk(NamedTuple):
    """Input of :func:`draw_walk`: the translation of ``access`` to ``va`` under ``satp``."""

    satp: int
    va: int
    access: Access
    steps: Sequence[Step]
    result: Translation | TranslationFault


def take_walk(mmu: Mmu, va: int, access: Access) -> Walk:
    """Walks the page table without changing it: the A and D bits are restored."""
    steps = mmu.walk(va)
    result = mmu.translate(va, access)
    if isinstance(result, Translation) and steps:
        last = steps[-1]
        assert last.pte is not None
        if result.pte != last.pte:
            mmu.ram.store64(last.address, last.pte)
    return Walk(mmu.satp, va, access, steps, result)


def draw_walk(
    walk: Walk,
    *,
    who: str = "",
    rsw0: str = COPY_ON_WRITE,
    notes: Iterable[tuple[str, str]] = (),
) -> list[str]:
    """Draws a walk in lines of at most 80 columns.

    ``who`` describes what makes the access, if given; ``rsw0`` is the supervisor's meaning of that
    bit; ``notes`` are further rows at the end, each a label and its text.
    """
    lines = _row("access", " ".join([f"{walk.access.name.lower()} of {walk.va:#x}", who]).rstrip())
    lines += _satp(walk.satp)
    if walk.satp >> 60 != MODE_BARE:
        lines += _address(walk.va)
        for step in walk.steps:
            lines += ["", *_step(step, rsw0)]
    lines += ["", *_result(walk)]
    for label, text in notes:
        lines += _row(label, text)
    return [line.rstrip() for line in lines]


def _row(label: str, text: str) -> list[str]:
    """Formats a label and the text beside it, wrapped to the width."""
    blank = " " * _LABEL
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"{label:<{_LABEL - 1}} ",
        subsequent_indent=blank,
        break_on_hyphens=False,
    )


def _satp(satp: int) -> list[str]:
    mode = satp >> 60
    name = _MODES.get(mode, "reserved")
    asid, root = satp >> 44 & ASID_MASK, satp & PPN_MASK
    return [
        *_row("satp", f"{satp:#018x}"),
        *_row("", f"mode {mode} ({name})   ASID {asid:#x}   root PPN {root:#x}"),
    ]


def _address(va: int) -> list[str]:
    """Draws the fields of the address in binary and hexadecimal, and checks the bits above."""
    fields = [(f"VPN[{n}]", vpn(va, n), VPN_BITS) for n in range(LEVELS - 1, -1, -1)]
    fields.append(("offset", va & PAGE_MASK, PAGE_SHIFT))
    names = [name for name, _, _ in fields]
    widths = [width + 2 for _, _, width in fields]
    rows = (
        [f" {value:0{width}b} " for _, value, width in fields],
        [f" {value:#x} ".center(width + 2) for _, value, width in fields],
    )
    top = "┬".join(
        f" {name} ".center(width, "─") for name, width in zip(names, widths, strict=True)
    )
    bottom = "┴".join("─" * width for width in widths)
    above = "bits 63-39 equal bit 38" if is_canonical(va) else "bits 63-39 differ from bit 38"
    return [
        *_row("address", f"{va:#018x}   {above}"),
        *_row("", f"┌{top}┐"),
        *(" " * _LABEL + "│" + "│".join(cells) + "│" for cells in rows),
        *_row("", f"└{bottom}┘"),
    ]


def _step(step: Step, rsw0: str) -> list[str]:
    table = step.address - 8 * step.vpn
    lines = _row(
        f"level {step.level}", f"table {table:#x} + 8 * {step.vpn:#x} = entry {step.address:#x}"
    )
    if step.pte is None:
        return [*lines, *_row("", "└► no entry: no memory at this address")]
    pte = step.pte
    lines += _row("", f"├─ PTE {pte:#018x}   PPN {ppn(pte):#x}")
    lines += _flag_rows(pte, rsw0)
    return [*lines, *_row("", f"└► {_kind(step)}")]


def _flag_rows(pte: int, rsw0: str) -> list[str]:
    """Formats the flags of a PTE in the order of the spec's table."""
    words = [text for bit, text in _FLAGS if pte & bit]
    words += [f"RSW0 {rsw0}"] if pte & RSW0 else []
    words += ["RSW1 (the supervisor's own)"] if pte & RSW1 else []
    words += ["reserved bits"] if pte & RESERVED else []
    text = ", ".join(words) if words else "no flag is set"
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * _LABEL + "├─ ",
        subsequent_indent=" " * _LABEL + "│  ",
        break_on_hyphens=False,
    )


def _kind(step: Step) -> str:
    pte = step.pte
    assert pte is not None
    if not pte & V:
        return "not valid"
    if is_leaf(pte):
        return f"leaf: {_SIZES[step.level]} at {ppn(pte) << PAGE_SHIFT:#x}"
    if pte & W:
        return "neither leaf nor pointer"
    return f"pointer to a table at {ppn(pte) << PAGE_SHIFT:#x}"


def _result(walk: Walk) -> list[str]:
    result, access = walk.result, walk.access.name.lower()
    if isinstance(result, Translation):
        return [*_row("physical", _sum(walk, result.pa)), *_updates(walk, result)]
    cause = result.cause
    lines = _row("fault", f"{cause.name}, cause {int(cause)}: the {access} fails because")
    lines += _row("", result.rule.value)
    if result.rule is Rule.PAGE_OUTSIDE_RAM:
        lines += _row("physical", _sum(walk, _unbacked(walk)))
    return lines


def _sum(walk: Walk, pa: int) -> str:
    """Formats the physical address as frame plus offset, if there was a walk."""
    if not walk.steps:
        return f"{pa:#x}"
    offset = walk.va & _offset_mask(walk)
    return f"{pa - offset:#x} + {offset:#x} = {pa:#x}"


def _unbacked(walk: Walk) -> int:
    """Returns the physical address in the tables, at which there is no memory."""
    if not walk.steps:
        return walk.va
    leaf = walk.steps[-1].pte
    assert leaf is not None
    return ppn(leaf) << PAGE_SHIFT | walk.va & _offset_mask(walk)


def _offset_mask(walk: Walk) -> int:
    return (1 << PAGE_SHIFT + VPN_BITS * walk.steps[-1].level) - 1


def _updates(walk: Walk, result: Translation) -> list[str]:
    """Describes the A and D bits that the access would set in the leaf (step 9, Svadu)."""
    before = walk.steps[-1].pte if walk.steps else result.pte
    assert before is not None
    added = [name for bit, name in ((A, "A"), (D, "D")) if result.pte & ~before & bit]
    if not added:
        return []
    return _row("", f"the {walk.access.name.lower()} sets {' and '.join(added)} in the leaf")

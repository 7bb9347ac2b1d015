"""Walk of a page fault in a few lines, from its record; see ``drawing`` for the long form."""

from __future__ import annotations

from emu.machine.pte import PAGE_SHIFT, V, is_leaf, ppn, vpn
from emu.observe.model import records
from emu.observe.model.records import Entry

_SIZES = ("page", "superpage of 2 MiB", "superpage of 1 GiB")


def walk_lines(fault: records.Fault) -> list[str]:
    """Formats the root, each entry that the walk read, and the rule that the access broke."""
    if not fault.walk:
        return [f"no walk: {fault.stval:#x} is not a user address"]
    root = fault.walk[0].address >> PAGE_SHIFT
    offset = fault.stval & 0xFFF
    indices = ".".join(f"{vpn(fault.stval, level):#x}" for level in (2, 1, 0))
    lines = [f"{fault.stval:#x} = VPN {indices} offset {offset:#x}, root table {root:#x}"]
    lines += [_entry(fault, entry) for entry in fault.walk]
    if fault.rule:
        lines.append(f"└ {fault.rule}")
    return lines


def _entry(fault: records.Fault, entry: Entry) -> str:
    index = vpn(fault.stval, entry.level)
    head = f"├ level {entry.level} [{index:#05x}] at {entry.address:#x}: "
    if entry.pte is None:
        return head + "outside physical memory"
    if not entry.pte & V:
        return head + f"{entry.pte:#x}, not valid"
    if is_leaf(entry.pte):
        return head + f"{_SIZES[entry.level]} {ppn(entry.pte):#x} {entry.flags}"
    return head + f"table {ppn(entry.pte):#x}"

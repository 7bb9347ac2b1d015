"""Findings for violated invariants: the users of the frame, and the line that wrote the PTE."""

from __future__ import annotations

from dataclasses import replace

from emu.lab.host.command_bus import CommandBus
from emu.lab.host.failures import Finding, place_text
from emu.lab.kit.values import SUPERPAGE_SIZE
from emu.lab.simulation.machine import SimulatedMachine
from emu.lab.text.pte_text import FRAME_KIND_TEXT, flags_or_invalid, page_text
from emu.machine.pte import PAGE_SHIFT, vpn
from kernel.check.invariants import violations
from kernel.check.memory_snapshot import MemorySnapshot
from kernel.check.violation import InvariantBroken, Page, Violation
from kernel.mm.address_space import AddressSpace
from kernel.mm.page_tables.leaf_tables import LEAF_SHIFT
from kernel.mm.page_tables.page_table import COW
from kernel.mm.physical.frames import Kind

_MARKS = {
    "shared-is-not-writable": "still writable",
    "cow-is-readable-and-not-writable": "COW with W, or without R",
    "mapped-frames-are-in-use": "not a frame that may be mapped",
    "frame-is-used-for-its-kind": "not a frame that may be stored to",
    "rights-are-the-mappings": "not the rights of the mapping",
}
_TABLES = "tables-are-their-spaces-own"

_MAX_USERS = 8
"""Maximum number of pages shown of one frame."""

_KINDS = {kind: f", {FRAME_KIND_TEXT[kind]}," for kind in (Kind.CACHE, Kind.ZERO, Kind.TABLE)}
_KINDS[Kind.FREE] = ", which is free,"


def broken_invariant(world: SimulatedMachine) -> Finding | None:
    """Returns a finding for the clearest violated invariant, or None."""
    memory = world.memory(world.sound)
    broken = violations(memory)
    if not broken:
        world.sound = memory
        return None
    finding = _finding(_clearest(broken), memory, world.bus)
    return replace(finding, also=frozenset(violation.name for violation in broken))


def invariant_finding(broken: InvariantBroken, bus: CommandBus | None) -> Finding:
    """Returns a finding for the clearest violation; ``bus`` has the line that wrote the PTE.

    The machine may have ended since: only the snapshot of its memory is used.
    """
    if broken.memory is None:  # frames that are in use after all processes ended
        first = broken.violations[0]
        return Finding(first.name, [violation.broken.message for violation in broken.violations])
    return _finding(_clearest(broken.violations), broken.memory, bus)


def _clearest(broken: list[Violation]) -> Violation:
    """Returns the violation that explains most. One wrong PTE violates several invariants: one
    that names a page is clearer. A table used twice causes all other violations.
    """
    return min(
        broken, key=lambda v: (v.name != _TABLES, v.broken.page is None, v.broken.frame is None)
    )


def _finding(violation: Violation, memory: MemorySnapshot, bus: CommandBus | None) -> Finding:
    broken = violation.broken
    if broken.frame is None:
        lines = [broken.message]
        if violation.name == _TABLES:
            lines.append("each process needs its own page tables, on all three levels")
        return Finding(violation.name, lines)
    lines = _frame_lines(violation, memory)
    if broken.page is not None:
        lines += _page_writer_lines(bus, memory, broken.page)
    elif not memory.user_counts[broken.frame - memory.frames.first]:
        lines += _allocation_lines(bus, broken.frame)
    if violation.name == "count-is-the-number-of-holders":
        lines += _count_lines(bus, broken.frame)
    return Finding(violation.name, lines)


def _frame_lines(violation: Violation, memory: MemorySnapshot) -> list[str]:
    """Returns the users of the frame, each with its PTE."""
    broken = violation.broken
    frame = broken.frame
    assert frame is not None
    users = list(memory.pages_in(frame))
    head = _head(violation, memory, frame, len(users))
    if frame in memory.tables:
        return [head, *_table_places(memory, frame)]
    if not users:
        return [head]
    marked = broken.page
    lines = []
    for space, va, pte in _shown_users(users, marked):
        here = marked is not None and marked.space is space and marked.va == va
        mark = f"   ← {_mark(violation.name, memory, marked)}" if here and marked else ""
        large = va >> LEAF_SHIFT << LEAF_SHIFT not in memory.walks[space].leaves
        size = " in a superpage" if large else ""
        lines.append(f"{memory.space_name(space)}  {va:#x}  {flags_or_invalid(pte)}{size}{mark}")
    if len(lines) < len(users):
        lines.append(f"… and {len(users) - len(lines)} more")
    if not head.endswith(":"):
        return [head, *(f"  {line}" for line in lines)]
    indent = " " * len(head)
    return [f"{head}  {lines[0]}", *(f"{indent}  {line}" for line in lines[1:])]


def _shown_users(
    users: list[tuple[AddressSpace, int, int]], marked: Page | None
) -> list[tuple[AddressSpace, int, int]]:
    """Returns the first users, always including the marked one."""
    some = users[:_MAX_USERS]
    if marked is not None and tuple(marked) not in some:
        some[-1:] = [user for user in users if user == tuple(marked)]
    return some


def _table_places(memory: MemorySnapshot, table: int) -> list[str]:
    """Returns the address ranges that a leaf table maps."""
    return [
        f"  {memory.space_name(space)}  {va:#x} to {va + SUPERPAGE_SIZE - 1:#x}"
        for space, va in memory.places(table)
    ]


def _mark(name: str, memory: MemorySnapshot, page: Page) -> str:
    if name != "pages-and-mappings-agree":
        return _MARKS.get(name, "this one")
    vmas = memory.walks[page.space].vmas
    if not any(start <= page.va < end for start, end, *_ in vmas):
        return "no mapping"
    return "COW, but not private and writable" if page.pte & COW else "W or COW is missing"


def _head(violation: Violation, memory: MemorySnapshot, frame: int, users: int) -> str:
    index = frame - memory.frames.first
    inside = 0 <= index < len(memory.counts)
    kind = Kind(memory.kinds[index]) if inside else Kind.PRIVATE
    count = int(memory.counts[index]) if inside else 0
    pins, ptes = (
        (int(memory.pin_counts[index]), int(memory.pte_counts[index])) if inside else (0, 0)
    )
    if violation.name != "count-is-the-number-of-holders":
        wrong = f"count {count}, and " if inside and count != pins + ptes else ""
        return (
            f"frame {frame:#x}{_KINDS.get(kind, '')} has {wrong}{users} user{'s' * (users != 1)}:"
        )
    what = f"{_FRAME_NAMES.get(kind, 'frame')} {frame:#x} has count {count}"
    if kind is Kind.TABLE and pins:
        return f"{what}, and is used in {pins} page table{'s' * (pins != 1)}"
    if not users and not pins:
        return f"{what}, and no user: it is lost"
    if pins:
        return f"{what} (expected {pins + ptes}: {pins} for the kernel, {ptes} for PTEs)"
    if ptes != users:
        one = "1 PTE, in a table" if ptes == 1 else f"{ptes} PTEs, some in tables"
        return f"{what}, and {one} that several processes share:"
    return f"{what}, and {users} user{'s' * (users != 1)}:"


_FRAME_NAMES = {
    Kind.TABLE: "page table",
    Kind.ZERO: "the frame of zeroes",
    Kind.CACHE: "a file's page, frame",
}


def _page_writer_lines(bus: CommandBus | None, memory: MemorySnapshot, page: Page) -> list[str]:
    """Returns the lines for the writer of the PTE of a page."""
    leaf = memory.walks[page.space].leaves.get(page.va >> LEAF_SHIFT << LEAF_SHIFT, 0)
    address = (leaf << PAGE_SHIFT) + 8 * vpn(page.va, 0)
    if not leaf:
        address = page.space.table.pte_address(page.va) or 0
    return writer_lines(bus, address)


def writer_lines(bus: CommandBus | None, pte_address: int) -> list[str]:
    """Returns the line of the student's code that wrote the PTE at a physical address."""
    if bus is None:
        return []
    place = bus.writer(pte_address)
    if place is not None:
        return [f"you wrote this PTE at {place_text(place)}"]
    copied = bus.table_copied_at.get(pte_address >> PAGE_SHIFT)
    if copied is not None:
        return [f"your code did not write this PTE; you copied its table at {place_text(copied)}"]
    return ["this PTE was there before your code ran: it should have changed it"]


def _allocation_lines(bus: CommandBus | None, frame: int) -> list[str]:
    taken = bus.taken_at if bus is not None else {}
    return [f"you allocated it at {place_text(taken[frame])}"] if frame in taken else []


def _count_lines(bus: CommandBus | None, frame: int) -> list[str]:
    counted = bus.counted_at if bus is not None else {}
    if frame not in counted:
        return ["its count was never changed by your code"]
    return [f"you last changed its count at {place_text(counted[frame])}"]


def page_line(world: SimulatedMachine, pid: int, va: int) -> str:
    """Returns the text of a page in its current state."""
    space = world.spaces.get(pid)
    if space is None:
        return f"pid {pid} has exited"
    return f"pid {pid}  {page_text(space, va)}"

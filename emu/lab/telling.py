"""An invariant that does not hold, told with both sides and with the line that wrote the PTE."""

from __future__ import annotations

from emu.lab.failures import Finding, said
from emu.lab.world import World
from emu.machine.pte import R, V, flags_text, ppn
from kernel.census import Memory
from kernel.invariants import Violation, violations
from kernel.pagetable import COW
from kernel.space import AddressSpace

_MARKS = {
    "shared-is-not-writable": "still writable",
    "cow-is-readable-and-not-writable": "COW with W, or without R",
    "mapped-frames-are-in-use": "not a frame that may be mapped",
    "frame-is-used-for-its-kind": "not a frame that may be stored to",
    "rights-are-the-mappings": "not the rights of the mapping",
    "pages-and-mappings-agree": "not what the mapping asks for",
}


def broken_invariant(world: World) -> Finding | None:
    """The first invariant that does not hold, if there is one."""
    memory = world.memory()
    broken = violations(memory)
    if not broken:
        return None
    return _told(_clearest(broken), memory, world)


def _clearest(broken: list[Violation]) -> Violation:
    """One wrong PTE breaks several invariants; the one that names a page says most."""
    return min(broken, key=lambda v: (v.broken.page is None, v.broken.frame is None))


def _told(violation: Violation, memory: Memory, world: World) -> Finding:
    broken = violation.broken
    if broken.frame is None:
        return Finding(violation.name, [broken.message])
    lines = _frame_lines(violation, memory)
    if broken.page is not None:
        lines += writer_lines(world, broken.page.space, broken.page.va)
    elif not memory.user_counts[broken.frame - memory.frames.first]:
        lines += _taker(world, broken.frame)
    if violation.name == "count-is-the-number-of-holders":
        lines += _counter(world, broken.frame)
    return Finding(violation.name, lines)


def _frame_lines(violation: Violation, memory: Memory) -> list[str]:
    """Who uses the frame, each with its PTE."""
    broken = violation.broken
    frame = broken.frame
    assert frame is not None
    users = page_users(memory, frame)
    head = _head(violation, memory, frame, len(users))
    if not users:
        return [head]
    marked = broken.page
    lines = []
    for space, va, pte in users:
        here = marked is not None and marked.space is space and marked.va == va
        mark = f"   ← {_MARKS.get(violation.name, 'this one')}" if here else ""
        lines.append(f"{memory.space_name(space)}  {va:#x}  {pte_text(pte)}{mark}")
    indent = " " * len(head)
    return [f"{head}  {lines[0]}", *(f"{indent}  {line}" for line in lines[1:])]


def _head(violation: Violation, memory: Memory, frame: int, users: int) -> str:
    if violation.name != "count-is-the-number-of-holders":
        return f"frame {frame:#x} has {users} user{'s' * (users != 1)}:"
    count = memory.frames.count(frame) if memory.frames.kind(frame) else 0
    if not users:
        return f"frame {frame:#x} has count {count}, and nobody uses it: it is lost"
    return f"frame {frame:#x} has count {count}, and {users} user{'s' * (users != 1)}:"


def page_users(memory: Memory, frame: int) -> list[tuple[AddressSpace, int, int]]:
    """(space, address, PTE) of all pages in ``frame``."""
    return [
        (mapped.space, va, pte)
        for mapped in memory.mapped
        for va, pte in mapped.where(mapped.indices == frame - memory.frames.first)
    ]


def pte_text(pte: int) -> str:
    """The flags, and C for ``COW``."""
    return f"{flags_text(pte)}{' C' if pte & COW else ''}"


def writer_lines(world: World, space: AddressSpace, va: int) -> list[str]:
    """Who wrote the PTE of a page."""
    written = world.machine.bus.written_at if world.machine is not None else {}
    place = written.get(space.table.pte_address(va) or 0)
    if place is None:
        return ["this PTE was there before your code ran: it should have changed it"]
    return [f"you wrote this PTE at {said(place)}"]


def _taker(world: World, frame: int) -> list[str]:
    taken = world.machine.bus.taken_at if world.machine is not None else {}
    return [f"you allocated it at {said(taken[frame])}"] if frame in taken else []


def _counter(world: World, frame: int) -> list[str]:
    counted = world.machine.bus.counted_at if world.machine is not None else {}
    if frame not in counted:
        return ["its count was never changed by your code"]
    return [f"you last changed its count at {said(counted[frame])}"]


def page_line(world: World, pid: int, va: int) -> str:
    """A page as the table has it now, for a message."""
    space = world.spaces.get(pid)
    if space is None:
        return f"pid {pid} is gone"
    pte = space.table.pte(va)
    if not pte & V or not pte & R:
        return f"pid {pid}  {va & -4096:#x}  {pte_text(pte)}"
    count = world.frames.counts[ppn(pte) - world.frames.first]
    return f"pid {pid}  {va & -4096:#x}  {pte_text(pte)}  → frame {ppn(pte):#x}, count {count}"

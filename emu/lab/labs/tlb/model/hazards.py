"""Hazards: accesses that a hart's stale TLB entries allow, and its page table does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from emu.lab.labs.tlb.model.machine import HARTS, Entry, FrameUse, Machine, page_at, part_of
from emu.machine.pte import D, G, R, U, W, X, is_leaf, ppn


class Harm(IntEnum):
    """Kinds of harm, the worst first: of sequences of equal length the worst is reported."""

    STORES_TO_ANOTHERS = 0
    WALKS_ANOTHERS = 1
    STORES_TO_READ_ONLY = 2
    STORES_UNSEEN = 3
    FETCHES = 4
    LOADS_ANOTHERS = 5
    LOADS_OLD = 6
    LOADS_FORBIDDEN = 7


class Hazard(NamedTuple):
    """An access through a stale entry."""

    harm: Harm
    hart: int
    pid: int | None
    """None for the kernel."""
    address: int
    entry: Entry
    pte: int
    """PTE of the page according to the entry."""
    now: int | None
    """PTE of the page according to the page table."""
    users: tuple[FrameUse, ...]
    """Users of the accessed frame."""


def find_hazards(machine: Machine, pages: Iterable[int]) -> list[Hazard]:
    """All hazards on these pages, the worst first."""
    found = [hazard for hart in range(HARTS) for hazard in _on(machine, hart, list(pages))]
    return sorted(found, key=lambda hazard: (hazard.harm, hazard.hart, hazard.address))


def _on(machine: Machine, hart: int, pages: list[int]) -> Iterator[Hazard]:
    number = machine.running[hart]
    space = None if number is None else machine.spaces[number]
    for entry in machine.tlbs[hart]:
        if entry.pte & G:
            if machine.shared.get(entry.key) != entry.pte:
                yield from _by_leaf(machine, hart, None, entry, pages)
        elif space is not None and entry.asid == space.asid:
            if space.ptes.get(entry.key) == entry.pte:
                continue
            if is_leaf(entry.pte):
                yield from _by_leaf(machine, hart, number, entry, pages)
            else:
                yield from _by_pointer(machine, hart, space.number, entry)


def _by_leaf(
    machine: Machine, hart: int, pid: int | None, entry: Entry, pages: list[int]
) -> Iterator[Hazard]:
    ptes = machine.shared if pid is None else machine.spaces[pid].ptes
    if pid is not None and not entry.pte & U:
        return
    for address in pages:
        if not entry.covers(address):
            continue
        pte = part_of(entry.pte, address - entry.key.address)
        now = page_at(ptes, address)
        users = machine.users(ppn(pte))
        harm = _harm(pid, pte, now, users)
        if harm is not None:
            yield Hazard(harm, hart, pid, address, entry, pte, now, tuple(users))


def _harm(pid: int | None, pte: int, now: int | None, users: list[FrameUse]) -> Harm | None:
    """Worst harm that the process (or the kernel) can do with ``pte`` in place of ``now``."""
    same = now is not None and ppn(now) == ppn(pte)
    allowed = now if same and now is not None and (pid is None or now & U) else 0
    others = any(user.space != pid or user.is_table for user in users)
    own = bool(users)
    if pte & W and pte & D:
        if not allowed & W:
            if others:
                return Harm.STORES_TO_ANOTHERS
            if own:
                return Harm.STORES_TO_READ_ONLY
        elif not allowed & D:
            return Harm.STORES_UNSEEN
    if pte & X and not allowed & X and own:
        return Harm.FETCHES
    if pte & R and not allowed & R and own:
        if same:
            return Harm.LOADS_FORBIDDEN
        return Harm.LOADS_ANOTHERS if others else Harm.LOADS_OLD
    return None


def _by_pointer(machine: Machine, hart: int, pid: int, entry: Entry) -> Iterator[Hazard]:
    """Hazards of a stale pointer: a walk reads a frame that is no longer a table of the process."""
    users = [
        user
        for user in machine.users(ppn(entry.pte))
        if not (user.is_table and user.space == pid and user.key == entry.key)
    ]
    if users:
        now = machine.spaces[pid].ptes.get(entry.key)
        address = entry.key.address
        yield Hazard(Harm.WALKS_ANOTHERS, hart, pid, address, entry, entry.pte, now, tuple(users))

"""Known differences of qemu-system-riscv64 7.2 from our machine.

The first three are faults of qemu 7.2; see "Measured facts" in DESIGN.md. The specification leaves
the order in which the two parts of a misaligned access are made to the hart, so the last two are
neither's fault.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from enum import Enum

from emu.machine.cause import ACCESS_OF_CAUSE, Access, Cause
from emu.machine.pte import VA_MASK
from emu.machine.sv39 import Rule
from tests.oracles.bare.cases import Kind, Request
from tests.oracles.bare.replay import Change, Machine, Outcome, is_stub, parts


class Difference(Enum):
    AMO_IS_A_LOAD = "an AMO loads, then stores: what the load breaks is reported as a load's fault"
    TABLE_OUTSIDE_RAM = "a PTE outside RAM is a page fault, not an access fault"
    LOAD_ROUNDED = "a misaligned load's access fault rounds mtval down to the load's size"
    SECOND_PAGE_FIRST = "a store into two pages translates both before it finds that one isn't RAM"
    STORED_IN_PARTS = "a store into two pages reaches the first when the second isn't RAM"


class Qemu:
    """Predicts qemu's outcome of one access from our ``machine``'s state before the access."""

    def __init__(self, machine: Machine, request: Request) -> None:
        self._machine = machine
        self._request = request
        self._parts = parts(request)
        self._load = self._second = None
        if request.kind is Kind.AMO:
            self._load = machine.probe(request, request.va, Access.LOAD)
        if request.kind is Kind.STORE and len(self._parts) == 2:
            self._second = machine.probe(request, self._parts[1][0], Access.STORE)

    def answer(self, ours: Outcome) -> tuple[Outcome, set[Difference]]:
        """Predicted outcome of qemu where ours is ``ours``, with the known differences."""
        request, reported, why = self._request, ours, set()
        outside_at = reported.at if reported.rule is Rule.PAGE_OUTSIDE_RAM else None
        if self._load is not None:
            if self._load.cause:
                reported = self._load
            else:
                reported = replace(ours, changes=_both(ours.changes, self._load.changes))
            if reported != ours:
                why.add(Difference.AMO_IS_A_LOAD)
        if self._second is not None and outside_at is not None:
            if outside_at != request.va:
                self._machine.store(request, self._parts[0][1])
                why.add(Difference.STORED_IN_PARTS)
            elif self._second.rule is not Rule.PAGE_OUTSIDE_RAM:
                reported = self._first_page_outside(ours, self._second)
                why.add(Difference.SECOND_PAGE_FIRST)
        if reported.rule is Rule.TABLE_OUTSIDE_RAM:
            reported = replace(reported, cause=ACCESS_OF_CAUSE[Cause(reported.cause)].page_fault)
            why.add(Difference.TABLE_OUTSIDE_RAM)
        rounded = (request.va & -request.size) - request.va & VA_MASK
        if request.kind is Kind.LOAD and outside_at == request.va and rounded:
            reported = replace(reported, result=rounded)
            why.add(Difference.LOAD_ROUNDED)
        return reported, why

    def _first_page_outside(self, ours: Outcome, second: Outcome) -> Outcome:
        changes = _both(ours.changes, second.changes)
        return replace(second if second.cause else ours, changes=changes)


def _both(one: tuple[Change, ...], other: tuple[Change, ...]) -> tuple[Change, ...]:
    """The changes of two accesses, the second of which may repeat some of the first."""
    bits: defaultdict[tuple[int, int], int] = defaultdict(int)
    for table, entry, changed in (*one, *other):
        bits[table, entry] |= changed
    return tuple((table, entry, changed) for (table, entry), changed in sorted(bits.items()))


def is_a_store_fault(request: Request, ours: Outcome) -> bool:
    """True when the fault of a store or an AMO is reported as a store's, of a load as a load's."""
    if ours.cause not in ACCESS_OF_CAUSE or request.kind is Kind.FETCH or is_stub(ours.at):
        return True
    stores = request.kind in (Kind.STORE, Kind.AMO)
    return ACCESS_OF_CAUSE[Cause(ours.cause)] is (Access.STORE if stores else Access.LOAD)

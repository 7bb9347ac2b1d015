"""Failure messages of the lab ``tlb``: sequences of events, changes of PTEs, and fences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from emu.lab.kit.values import Fence, PteChange
from emu.lab.labs.tlb.model.fence_rules import reach
from emu.lab.labs.tlb.model.hazards import Harm, Hazard
from emu.lab.labs.tlb.model.kernel import FenceQuery, FenceReply, function_for
from emu.lab.labs.tlb.model.machine import Entry, FrameUse, Key, Machine
from emu.lab.labs.tlb.model.search import HarmfulSequence, Step
from emu.lab.simulation.differential import Failure
from emu.machine.pte import G, V, is_leaf, ppn
from kernel.mm.page_tables.pte_text import pte_text

_NAMES = {
    Harm.STORES_TO_ANOTHERS: "stores-to-anothers-page",
    Harm.WALKS_ANOTHERS: "walks-anothers-page",
    Harm.STORES_TO_READ_ONLY: "stores-to-read-only-page",
    Harm.STORES_UNSEEN: "store-leaves-page-clean",
    Harm.FETCHES: "fetches-what-it-may-not",
    Harm.LOADS_ANOTHERS: "loads-anothers-page",
    Harm.LOADS_OLD: "loads-old-page",
    Harm.LOADS_FORBIDDEN: "loads-what-it-may-not",
}
_VERBS = {Harm.FETCHES: "fetches from", Harm.WALKS_ANOTHERS: "uses an address from"}


def to_failure(harmful: HarmfulSequence, start: Machine) -> Failure:
    """Failure with the sequence as numbered lines, and the harmful access at its end."""
    hazard, steps = harmful.hazard, harmful.steps
    lines = ["initial state:", *(f"   {line}" for line in _start_lines(start))]
    for number, step in enumerate(steps, 1):
        lines.append(f"{number}. {step.event}")
        lines += [
            f"      {line}" for reply in _relevant_replies(step) for line in _reply_lines(reply)
        ]
    lines.append(f"{len(steps) + 1}. {_access(hazard)}")
    lines += [f"      {line}" for line in _access_lines(hazard)]
    lines += _blame(hazard, steps)
    return Failure(_NAMES[hazard.harm], _headline(hazard), lines)


def _start_lines(machine: Machine) -> list[str]:
    lines = []
    for number, space in machine.spaces.items():
        harts = [hart for hart, runs in enumerate(machine.running) if runs == number]
        where = f"on {_harts(harts)}" if harts else "not running"
        lines.append(f"pid {number}, ASID {space.asid}, {where}")
        lines += [f"   {_pte_line(key, pte)}" for key, pte in sorted(space.ptes.items())]
    lines += [f"the kernel  {_pte_line(key, pte)}" for key, pte in machine.shared.items()]
    return lines


def _pte_line(key: Key, pte: int) -> str:
    return f"{_place(key)}  {pte_text(pte)}"


def _place(key: Key) -> str:
    if not key.level:
        return f"{key.address:#x}"
    return f"{key.address:#x} to {key.address + reach(key.level):#x}"


def _harts(harts: Sequence[int]) -> str:
    if not harts:
        return "no hart"
    if len(harts) == 1:
        return f"hart {harts[0]}"
    return f"harts {', '.join(map(str, harts[:-1]))} and {harts[-1]}"


# The student's calls and results.


def _relevant_replies(step: Step) -> list[FenceReply]:
    return [reply for reply in step.replies if reply.fences or _is_relevant(reply.question)]


def _is_relevant(question: FenceQuery) -> bool:
    if isinstance(question, PteChange):
        return bool(question.before & V)
    return question.last_space not in (None, question.space)


def _reply_lines(reply: FenceReply) -> list[str]:
    question = reply.question
    if isinstance(question, PteChange):
        whose = "the kernel's" if reply.space is None else f"pid {reply.space}'s"
        lines = [f"{whose} {change_line(question)}"]
        lines.append(f"{_harts(question.harts)} may have cached it")
    else:
        lines = [switch_line(question)]
    return [*lines, f"you returned: {fences_text(reply.fences)}"]


def change_line(change: PteChange) -> str:
    key = Key(change.level, change.address)
    level = f" (level {change.level})" if change.level else ""
    before, after = pte_text(change.before), pte_text(change.after)
    if before == after:
        before, after = f"{change.before:#x} {before}", f"{change.after:#x} {after}"
    return f"{_place(key)}{level}  {before} → {after}"


def switch_line(question: FenceQuery) -> str:
    assert not isinstance(question, PteChange)
    last, asid = question.last_space, question.asid
    before = f"it last used ASID {asid} for address space {last}"
    if last is None:
        before = f"it has never used ASID {asid}"
    now = f"address space {question.space}, ASID {asid}"
    return f"hart {question.hart}'s satp is set to {now}; {before}"


def fences_text(fences: Iterable[Fence]) -> str:
    return ", ".join(map(fence_text, fences)) or "nothing"


def fence_text(fence: Fence) -> str:
    address = None if fence.address is None else f"{fence.address:#x}"
    return f"Fence(hart={fence.hart}, asid={fence.asid}, address={address})"


# The harmful access.


def _headline(hazard: Hazard) -> str:
    who = _who(hazard)
    harm = hazard.harm
    if harm is Harm.STORES_TO_ANOTHERS:
        return f"{who} stores to a frame that is {_others(hazard)}"
    if harm is Harm.WALKS_ANOTHERS:
        return f"{who}'s walk reads PTEs from a frame that is {_others(hazard)}"
    if harm is Harm.STORES_TO_READ_ONLY:
        nothing = hazard.now is None
        return (
            f"{who} stores to {'an unmapped page' if nothing else 'a page that it may not write'}"
        )
    if harm is Harm.STORES_UNSEEN:
        return f"{who} stores, and the page's D stays clear: the store can be lost"
    if harm is Harm.FETCHES:
        return f"{who} executes a page that it may not execute"
    if harm is Harm.LOADS_ANOTHERS:
        return f"{who} reads a frame that is {_others(hazard)}"
    if harm is Harm.LOADS_OLD:
        return f"{who} reads an old frame, not the one to which it stores"
    return f"{who} reads a page that it may not read"


def _who(hazard: Hazard) -> str:
    return "the kernel" if hazard.pid is None else f"pid {hazard.pid}"


def _others(hazard: Hazard) -> str:
    others = [user for user in hazard.users if user.space != hazard.pid or user.is_table]
    return _user(others[0], hazard) if others else _user(hazard.users[0], hazard)


def _user(user: FrameUse, hazard: Hazard) -> str:
    whose = "the kernel's" if user.space is None else f"pid {user.space}'s"
    if user.is_table:
        return f"{whose} page table"
    frame = ppn(hazard.pte)
    address = user.key.address + (frame - ppn(user.pte) << 12)
    return f"{whose} {address:#x}"


def _access(hazard: Hazard) -> str:
    verb = _VERBS.get(hazard.harm)
    if verb is None:
        stores = hazard.harm in (Harm.STORES_TO_ANOTHERS, Harm.STORES_TO_READ_ONLY)
        verb = "stores to" if stores or hazard.harm is Harm.STORES_UNSEEN else "loads from"
    where = _place(hazard.entry.key) if hazard.harm is Harm.WALKS_ANOTHERS else ""
    return f"{_who(hazard)}, on hart {hazard.hart}, {verb} {where or format(hazard.address, '#x')}"


def _access_lines(hazard: Hazard) -> list[str]:
    entry = hazard.entry
    tag = "global" if is_leaf(entry.pte) and entry.pte & G else f"ASID {entry.asid}"
    lines = [
        f"TLB of hart {hazard.hart}:  {_pte_line(entry.key, entry.pte)}  ({tag})   ← stale",
        f"page table:     {_place(_page_key(hazard))}  {pte_text(hazard.now)}",
    ]
    frame = ppn(hazard.pte)
    if hazard.harm is Harm.WALKS_ANOTHERS:
        lines.append(f"frame {frame:#x} is {_others(hazard)}: its contents are used as PTEs")
    elif hazard.users:
        whose = ", ".join(dict.fromkeys(_user(user, hazard) for user in hazard.users))
        lines.append(f"the access succeeds, in frame {frame:#x}, which is {whose}")
    else:
        lines.append(f"the access succeeds, in frame {frame:#x}")
    return lines


def _page_key(hazard: Hazard) -> Key:
    if hazard.harm is Harm.WALKS_ANOTHERS:
        return hazard.entry.key
    return Key(0, hazard.address)


def _blame(hazard: Hazard, steps: list[Step]) -> list[str]:
    """Line that names the last call whose fences should have flushed the entry."""
    for number, step in reversed(list(enumerate(steps, 1))):
        for reply in reversed(step.replies):
            if _is_about(reply.question, hazard):
                what = "this change" if isinstance(reply.question, PteChange) else "this switch"
                why = _reason(hazard, reply.fences)
                function = function_for(reply.question)
                return [f"{function}() was called for {what} at step {number}, and {why}"]
    return []


def _is_about(question: FenceQuery, hazard: Hazard) -> bool:
    entry = hazard.entry
    if not isinstance(question, PteChange):
        reused = question.last_space not in (None, question.space)
        return reused and (question.hart, question.asid) == (hazard.hart, entry.asid)
    key = Key(question.level, question.address)
    if key == entry.key:
        return question.before == entry.pte
    inside = key.address <= entry.key.address < key.address + reach(key.level)
    return inside and key.level > entry.key.level and bool(question.before & V)


def _reason(hazard: Hazard, fences: list[Fence]) -> str:
    entry: Entry = hazard.entry
    hart = hazard.hart
    if not fences:
        return "returned nothing"
    there = [fence for fence in fences if fence.hart == hart]
    if not there:
        return f"returned no fence on hart {hart}, which may have cached it"
    if not is_leaf(entry.pte) and all(fence.address is not None for fence in there):
        return "returned fences with an address: they flush leaf PTEs, but not pointers"
    if entry.pte & G and all(fence.asid is not None for fence in there):
        return "returned fences with an ASID: they do not flush global translations"
    if all(fence.address is not None and not entry.covers(fence.address) for fence in there):
        return f"returned fences with addresses other than {_place(entry.key)}"
    return f"returned {fences_text(there)} for hart {hart}, which does not flush this entry"

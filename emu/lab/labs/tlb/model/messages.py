"""Sequences, changes and fences of the lab ``tlb``, told to the student."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from emu.lab.kit.values import Fence, PteChange
from emu.lab.labs.tlb.model.fence_rules import reach
from emu.lab.labs.tlb.model.hazards import Danger, Harm
from emu.lab.labs.tlb.model.kernel import Asked, Question, function_for
from emu.lab.labs.tlb.model.machine import Entry, Key, Machine, User
from emu.lab.labs.tlb.model.search import Harmful, Step
from emu.lab.simulation.differential import Failure
from emu.lab.text.pte_text import entry_text
from emu.machine.pte import G, V, is_leaf, ppn

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


def told(harmful: Harmful, start: Machine) -> Failure:
    """The sequence as numbered lines, and what is wrong at its end."""
    danger, steps = harmful.danger, harmful.steps
    lines = ["at first:", *(f"   {line}" for line in _start_lines(start))]
    for number, step in enumerate(steps, 1):
        lines.append(f"{number}. {step.event}")
        lines += [f"      {line}" for asked in _worth_telling(step) for line in _asked(asked)]
    lines.append(f"{len(steps) + 1}. {_access(danger)}")
    lines += [f"      {line}" for line in _access_lines(danger)]
    lines += _blame(danger, steps)
    return Failure(_NAMES[danger.harm], _headline(danger), lines)


def _start_lines(machine: Machine) -> list[str]:
    lines = []
    for number, space in machine.spaces.items():
        harts = [hart for hart, runs in enumerate(machine.running) if runs == number]
        where = f"on {_harts(harts)}" if harts else "waits"
        lines.append(f"pid {number}, ASID {space.asid}, {where}")
        lines += [f"   {_pte_line(key, pte)}" for key, pte in sorted(space.ptes.items())]
    lines += [f"the kernel  {_pte_line(key, pte)}" for key, pte in machine.shared.items()]
    return lines


def _pte_line(key: Key, pte: int) -> str:
    return f"{_place(key)}  {entry_text(pte)}"


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


# What was asked.


def _worth_telling(step: Step) -> list[Asked]:
    return [asked for asked in step.asked if asked.fences or _may_matter(asked.question)]


def _may_matter(question: Question) -> bool:
    if isinstance(question, PteChange):
        return bool(question.before & V)
    return question.last_space not in (None, question.space)


def _asked(asked: Asked) -> list[str]:
    question = asked.question
    if isinstance(question, PteChange):
        whose = "the kernel's" if asked.space is None else f"pid {asked.space}'s"
        lines = [f"{whose} {change_line(question)}"]
        lines.append(f"{_harts(question.harts)} may remember it")
    else:
        lines = [switch_line(question)]
    return [*lines, f"you returned: {fences_text(asked.fences)}"]


def change_line(change: PteChange) -> str:
    key = Key(change.level, change.address)
    level = f" (level {change.level})" if change.level else ""
    before, after = entry_text(change.before), entry_text(change.after)
    if before == after:
        before, after = f"{change.before:#x} {before}", f"{change.after:#x} {after}"
    return f"{_place(key)}{level}  {before} → {after}"


def switch_line(question: Question) -> str:
    assert not isinstance(question, PteChange)
    last, asid = question.last_space, question.asid
    before = f"what it last ran with ASID {asid} was address space {last}"
    if last is None:
        before = f"it never ran anything with ASID {asid}"
    return f"hart {question.hart}'s satp gets address space {question.space}, ASID {asid}; {before}"


def fences_text(fences: Iterable[Fence]) -> str:
    return ", ".join(map(fence_text, fences)) or "nothing"


def fence_text(fence: Fence) -> str:
    address = None if fence.address is None else f"{fence.address:#x}"
    return f"Fence(hart={fence.hart}, asid={fence.asid}, address={address})"


# What goes wrong.


def _headline(danger: Danger) -> str:
    who = _who(danger)
    harm = danger.harm
    if harm is Harm.STORES_TO_ANOTHERS:
        return f"{who} stores to a frame that is {_others(danger)}"
    if harm is Harm.WALKS_ANOTHERS:
        return f"{who}'s walk reads PTEs from a frame that is {_others(danger)}"
    if harm is Harm.STORES_TO_READ_ONLY:
        nothing = danger.now is None
        return (
            f"{who} stores to {'where nothing is' if nothing else 'a page that it may not write'}"
        )
    if harm is Harm.STORES_UNSEEN:
        return f"{who} stores, and the page's D stays clear: the store is lost with the page"
    if harm is Harm.FETCHES:
        return f"{who} executes a page that it may not execute"
    if harm is Harm.LOADS_ANOTHERS:
        return f"{who} reads a frame that is {_others(danger)}"
    if harm is Harm.LOADS_OLD:
        return f"{who} reads an old frame, not what it stores"
    return f"{who} reads a page that it may not read"


def _who(danger: Danger) -> str:
    return "the kernel" if danger.pid is None else f"pid {danger.pid}"


def _others(danger: Danger) -> str:
    others = [user for user in danger.users if user.space != danger.pid or user.is_table]
    return _user(others[0], danger) if others else _user(danger.users[0], danger)


def _user(user: User, danger: Danger) -> str:
    whose = "the kernel's" if user.space is None else f"pid {user.space}'s"
    if user.is_table:
        return f"{whose} page table"
    frame = ppn(danger.pte)
    address = user.key.address + (frame - ppn(user.pte) << 12)
    return f"{whose} {address:#x}"


def _access(danger: Danger) -> str:
    verb = _VERBS.get(danger.harm)
    if verb is None:
        stores = danger.harm in (Harm.STORES_TO_ANOTHERS, Harm.STORES_TO_READ_ONLY)
        verb = "stores to" if stores or danger.harm is Harm.STORES_UNSEEN else "loads from"
    where = _place(danger.entry.key) if danger.harm is Harm.WALKS_ANOTHERS else ""
    return f"{_who(danger)}, on hart {danger.hart}, {verb} {where or format(danger.address, '#x')}"


def _access_lines(danger: Danger) -> list[str]:
    entry = danger.entry
    tag = "global" if is_leaf(entry.pte) and entry.pte & G else f"ASID {entry.asid}"
    lines = [
        f"TLB of hart {danger.hart}:  {_pte_line(entry.key, entry.pte)}  ({tag})   ← stale",
        f"page table:     {_place(_page_key(danger))}  {entry_text(danger.now)}",
    ]
    frame = ppn(danger.pte)
    if danger.harm is Harm.WALKS_ANOTHERS:
        lines.append(f"frame {frame:#x} is {_others(danger)}: what is there is taken for PTEs")
    elif danger.users:
        whose = ", ".join(dict.fromkeys(_user(user, danger) for user in danger.users))
        lines.append(f"it goes through, to frame {frame:#x}, which is {whose}")
    else:
        lines.append(f"it goes through, to frame {frame:#x}")
    return lines


def _page_key(danger: Danger) -> Key:
    if danger.harm is Harm.WALKS_ANOTHERS:
        return danger.entry.key
    return Key(0, danger.address)


def _blame(danger: Danger, steps: list[Step]) -> list[str]:
    """Where the student could have had the entry forgotten."""
    for number, step in reversed(list(enumerate(steps, 1))):
        for asked in reversed(step.asked):
            if _is_about(asked.question, danger):
                what = "this change" if isinstance(asked.question, PteChange) else "this"
                why = _why_kept(danger, asked.fences)
                function = function_for(asked.question)
                return [f"{function}() was told of {what} at step {number}, and {why}"]
    return []


def _is_about(question: Question, danger: Danger) -> bool:
    entry = danger.entry
    if not isinstance(question, PteChange):
        reused = question.last_space not in (None, question.space)
        return reused and (question.hart, question.asid) == (danger.hart, entry.asid)
    key = Key(question.level, question.address)
    if key == entry.key:
        return question.before == entry.pte
    inside = key.address <= entry.key.address < key.address + reach(key.level)
    return inside and key.level > entry.key.level and bool(question.before & V)


def _why_kept(danger: Danger, fences: list[Fence]) -> str:
    entry: Entry = danger.entry
    hart = danger.hart
    if not fences:
        return "returned nothing"
    there = [fence for fence in fences if fence.hart == hart]
    if not there:
        return f"returned no fence on hart {hart}, which may remember it"
    if not is_leaf(entry.pte) and all(fence.address is not None for fence in there):
        return "returned fences of addresses: they forget leaf PTEs, and no pointer"
    if entry.pte & G and all(fence.asid is not None for fence in there):
        return "returned fences of an ASID: they forget no global translation"
    if all(fence.address is not None and not entry.covers(fence.address) for fence in there):
        return f"returned fences of other addresses than {_place(entry.key)}"
    return f"returned {fences_text(there)} for hart {hart}, which leaves this entry"

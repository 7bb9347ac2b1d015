"""Page tables and accesses of the graded tests of the lab ``walk``.

Every case is derived from a valid one: three tables, a page, a load in U-mode. It has only a few
PTEs, so that the drawing in a failure report shows all of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

from emu.lab.kit.values import Access, Mode, Privilege
from emu.lab.labs.walk.translations import SIZE, TABLES, Case
from emu.machine.pte import (
    MODE_BARE,
    PAGE_SHIFT,
    PTE_SIZE,
    RSW0,
    RSW1,
    VA_HALF,
    VA_MASK,
    A,
    D,
    G,
    R,
    U,
    V,
    W,
    X,
    is_leaf,
    make_pte,
    make_satp,
    ppn,
    vpn,
)
from emu.machine.ram import BASE

ROOT, MIDDLE, LEAF, OTHER = TABLES[:4]
FIRST = BASE >> PAGE_SHIFT
LAST = FIRST + (SIZE >> PAGE_SHIFT) - 1
FRAME = FIRST + 0x123
"""Frame of the page that the tables map."""
SUPERPAGE = FIRST + 0x200
ADDRESS = 0x12_3456_7ABC
PLAIN = 0xABC
"""Address translated by the first entry of each table, for tests that do not check indices."""
USER = V | R | W | X | U | A | D
"""Flags of a leaf that allows U-mode every access, with A and D set."""
LOAD, STORE, FETCH = Access.LOAD, Access.STORE, Access.FETCH
ACCESSES = (LOAD, STORE, FETCH)
U_MODE, S_MODE = Mode(), Mode(Privilege.SUPERVISOR)
MODES = tuple(
    Mode(privilege, sum_, mxr)
    for privilege, sum_, mxr in product(Privilege, (False, True), (False, True))
)


def entry(table: int, va: int, level: int) -> int:
    """Physical address of the PTE for ``va`` in a table of that level."""
    return (table << PAGE_SHIFT) + PTE_SIZE * vpn(va, level)


def path(va: int, leaf: int, level: int = 0) -> dict[int, int]:
    """Tables from the root to ``leaf``, a PTE at ``level``."""
    tables = (LEAF, MIDDLE, ROOT)
    entries = {entry(tables[at], va, at): make_pte(tables[at - 1], V) for at in range(2, level, -1)}
    return {**entries, entry(tables[level], va, level): leaf}


def page(va: int = PLAIN, flags: int = USER, frame: int = FRAME) -> Case:
    """A load in U-mode from a page of 4 KiB."""
    return Case(path(va, make_pte(frame, flags)), va)


def _at_level(level: int, flags: int, va: int = PLAIN) -> dict[int, int]:
    """Tables, and a leaf of that level that maps frames in memory."""
    return path(va, make_pte((FRAME, SUPERPAGE, FIRST)[level], flags), level)


def in_memory(va: int, level: int) -> int:
    """``va``; at level 2 with an offset into the page of 1 GiB that is within memory."""
    return va if level < 2 else va & ~((1 << 30) - 1) | va & (SIZE - 1)


# Cases about one rule.


def three_levels() -> Iterator[Case]:
    yield page(0)
    yield page(0xABC)
    yield page(1 << 12)
    yield page(1 << 21)
    yield page(1 << 30)
    yield page(ADDRESS)
    for bit in range(38):
        yield page(1 << bit)
    yield page((1 << 38) - 1)
    for frame in (FIRST, FRAME, LAST):
        yield page(ADDRESS, frame=frame)


def satp_fields() -> Iterator[Case]:
    for asid in (1, 0x8000, 0xFFFF):
        yield page()._replace(satp=make_satp(ROOT, asid))
    entries = page().entries
    moved = {
        at - (ROOT << 12) + (OTHER << 12) if at >> 12 == ROOT else at: pte
        for at, pte in entries.items()
    }
    yield page()._replace(entries=moved, satp=make_satp(OTHER, 5))


def bare() -> Iterator[Case]:
    satp = MODE_BARE << 60
    for mode, access in product((U_MODE, S_MODE), ACCESSES):
        for va in (BASE, BASE + 0x1234, BASE + SIZE - 1):
            yield Case({}, va, access, mode, satp)
    for va in (0, BASE - 1, BASE + SIZE, VA_HALF, VA_MASK):
        for access in ACCESSES:
            yield Case({}, va, access, satp=satp)
    for field in (ROOT, 7 << 44):  # only the MODE field selects bare mode
        yield Case({}, BASE + 0x1234, LOAD, satp=satp | field)


def canonical() -> Iterator[Case]:
    for va in (VA_HALF - 1, VA_MASK + 1 - VA_HALF, VA_MASK, 0xFFFF_FFC0_1234_5678):
        yield page(va)
    for va in (VA_HALF, VA_HALF + 0x1000, 1 << 39, 1 << 63, VA_MASK - VA_HALF, VA_MASK >> 1):
        yield page(va)
    for bit in range(38, 64):
        for access in ACCESSES:
            yield page(ADDRESS ^ 1 << bit)._replace(access=access)
            yield page(0xFFFF_FFD2_3456_7ABC ^ 1 << bit)._replace(access=access)


def invalid() -> Iterator[Case]:
    yield Case({}, 0)
    for level, access in product((2, 1, 0), ACCESSES):
        yield Case(_at_level(level, USER & ~V), in_memory(PLAIN, level), access)
    for level in (2, 1):
        yield from _changed_pointer(level, clear=V)


def reserved() -> Iterator[Case]:
    for level, access in product((0, 1, 2), ACCESSES):
        va = in_memory(PLAIN, level)
        yield Case(_at_level(level, USER & ~R), va, access)
        yield Case(_at_level(level, USER & ~R & ~X), va, access)
        for bit in range(54, 64):
            yield Case(_at_level(level, USER | 1 << bit), va, access)
    for level in (2, 1):
        for bit in range(54, 64):
            yield from _changed_pointer(level, set_=1 << bit)


def pointers() -> Iterator[Case]:
    for level, flags in product((2, 1), (G, RSW0, RSW1, G | RSW0 | RSW1)):
        yield from _changed_pointer(level, set_=flags)
    for level, flags in product((2, 1), (A, D, U, A | D, A | D | U)):
        yield from _changed_pointer(level, set_=flags)
    for access, below in product(ACCESSES, (0, -1)):  # the entry that a too long walk would read
        entries = path(PLAIN, make_pte(OTHER, V))
        found = {entry(OTHER, PLAIN, below): make_pte(FRAME, USER)}
        yield Case({**entries, **found}, PLAIN, access)


def _changed_pointer(level: int, set_: int = 0, clear: int = 0) -> Iterator[Case]:
    """The page, with other bits in the pointer at ``level``."""
    at = entry((LEAF, MIDDLE, ROOT)[level], PLAIN, level)
    for access in ACCESSES:
        case = page()._replace(access=access)
        yield case._replace(entries={**case.entries, at: case.entries[at] & ~clear | set_})


def superpages() -> Iterator[Case]:
    for va in (0, 0x1234, 0x1F_FFFF, ADDRESS):
        yield Case(path(va, make_pte(SUPERPAGE, USER), 1), va)
    for offset in (0, 0x1234, 0x12_3456, SIZE - 1):
        va = (ADDRESS & ~((1 << 30) - 1)) + offset
        yield Case(path(va, make_pte(FIRST, USER), 2), va)


def misaligned() -> Iterator[Case]:
    for bit in range(9):
        for access in ACCESSES:
            yield Case(path(PLAIN, make_pte(SUPERPAGE | 1 << bit, USER), 1), PLAIN, access)
    for bit in range(18):
        va = in_memory(PLAIN, 2)
        yield Case(path(va, make_pte(FIRST | 1 << bit, USER), 2), va)


def rights() -> Iterator[Case]:
    for flags, access in product((R, X, R | W, R | X, R | W | X), ACCESSES):
        yield page(flags=V | U | A | D | flags)._replace(access=access)
        yield page(flags=V | A | D | flags)._replace(access=access, mode=S_MODE)


def user_and_supervisor() -> Iterator[Case]:
    for flags, mode, access in product((USER, USER & ~U), (U_MODE, S_MODE), ACCESSES):
        yield page(flags=flags)._replace(access=access, mode=mode)
    for flags, mode, access in product((USER, USER & ~U), MODES, ACCESSES):
        yield page(flags=flags)._replace(access=access, mode=mode)


def executable_made_readable() -> Iterator[Case]:
    for mode in (Mode(mxr=True), Mode(Privilege.SUPERVISOR, mxr=True)):
        mine = U if mode.privilege is Privilege.USER else 0
        for flags, access in product((X, R, R | X, R | W), ACCESSES):
            yield page(flags=V | A | D | mine | flags)._replace(access=access, mode=mode)


def accessed_and_dirty() -> Iterator[Case]:
    for level, access, used in product((0, 1, 2), ACCESSES, (0, A, D, A | D)):
        va = in_memory(PLAIN, level)
        yield Case(_at_level(level, USER & ~(A | D) | used), va, access)
    for flags in (G, RSW0, RSW1, G | RSW0 | RSW1):
        yield page(flags=USER & ~(A | D) | flags)._replace(access=STORE)


def only_when_allowed() -> Iterator[Case]:
    for flags, access in ((R, STORE), (R, FETCH), (X, LOAD), (X, STORE), (R | X, STORE)):
        yield page(flags=V | U | flags)._replace(access=access)
    for access in ACCESSES:
        yield page(flags=USER & ~(U | A | D))._replace(access=access)
        yield page(flags=USER & ~(A | D))._replace(access=access, mode=S_MODE)
        misplaced = make_pte(SUPERPAGE + 1, USER & ~(A | D))
        yield Case(path(PLAIN, misplaced, 1), PLAIN, access)
        yield page(flags=USER & ~(A | D) | 1 << 54)._replace(access=access)


def needless_stores() -> Iterator[Case]:
    for access, used in ((LOAD, A), (FETCH, A), (STORE, A | D), (LOAD, A | D), (FETCH, A | D)):
        for level in (0, 1, 2):
            va = in_memory(PLAIN, level)
            yield Case(_at_level(level, USER & ~(A | D) | used), va, access)


_NOWHERE = (0, FIRST - 1, LAST + 1, (1 << 44) - 1)


def outside_memory() -> Iterator[Case]:
    for frame, access in product(_NOWHERE, ACCESSES):
        yield page(frame=frame)._replace(access=access)
    for frame, access in product(_NOWHERE, ACCESSES):
        yield page()._replace(satp=make_satp(frame), access=access)
        for level in (2, 1):
            table = (LEAF, MIDDLE, ROOT)[level]
            changed = entry(table, PLAIN, level)
            entries = {**page().entries, changed: make_pte(frame, V)}
            yield Case(entries, PLAIN, access)
    for bit in range(FIRST.bit_length(), 44):  # the PPN has 44 bits
        yield page(frame=FRAME | 1 << bit)
        yield page()._replace(satp=make_satp(ROOT | 1 << bit))
        for level, table in ((2, MIDDLE), (1, LEAF)):
            changed = entry((LEAF, MIDDLE, ROOT)[level], PLAIN, level)
            yield Case({**page().entries, changed: make_pte(table | 1 << bit, V)}, PLAIN)
    for size, level in ((1 << 21, 1), (1 << 30, 2)):
        aligned = LAST + 1 if level == 1 else (BASE + (1 << 30)) >> PAGE_SHIFT
        yield Case(path(PLAIN, make_pte(aligned, USER), level), PLAIN)
        yield Case(path(size - 1, make_pte(0, USER), level), size - 1)
    for offset in (SIZE - 1, SIZE):  # memory ends within the page of 1 GiB
        yield Case(path(offset, make_pte(FIRST, USER), 2), offset)
    for frame in _NOWHERE:  # a forbidden access is a page fault, wherever the frame is
        yield page(frame=frame, flags=USER & ~U)
        yield page(frame=frame, flags=USER & ~W)._replace(access=STORE)


# Combinations.


def all_flags() -> Iterator[Case]:
    """Each combination of a PTE's flags, at each level, for each access in each mode."""
    combinations = sorted(range(256), key=lambda flags: (flags.bit_count(), -flags))
    for level in (0, 1, 2):
        va = in_memory(ADDRESS, level)
        tried = [flags for flags in combinations if flags & V or not level]
        for flags, access, mode in product(tried, ACCESSES, MODES):
            yield Case(_at_level(level, flags, ADDRESS), va, access, mode)


_FRAMES = (FRAME, SUPERPAGE, FIRST, LAST, *_NOWHERE, SUPERPAGE + 1)


def random_case(source: random.Random) -> Case:
    """Mostly valid tables, and a random access."""
    va = source.getrandbits(39)
    if source.random() < 0.5:
        va = va & ~((1 << 30) - 1) | va & SIZE - 1  # within memory, for a page of 1 GiB
    if va & VA_HALF:
        va |= VA_MASK & ~(2 * VA_HALF - 1)
    if source.random() < 0.03:
        va ^= 1 << source.randrange(38, 64)
    entries: dict[int, int] = {}
    table = ROOT
    for level in (2, 1, 0):
        pte = _random_pte(source, level)
        entries[entry(table, va, level)] = pte
        if not pte & V or is_leaf(pte) or ppn(pte) not in TABLES:
            break
        table = ppn(pte)
    satp = make_satp(ROOT, source.choice((0, 7, 0xFFFF)))
    return Case(entries, va, source.choice(ACCESSES), source.choice(MODES), satp)


def _random_pte(source: random.Random, level: int) -> int:
    if level and source.random() < 0.75:
        frame = source.choice(TABLES if source.random() < 0.97 else _NOWHERE)
        flags = V | source.choice((0, 0, 0, G, RSW0))
    else:
        fits = (FRAME, SUPERPAGE, FIRST)[level]
        frame = fits if source.random() < 0.7 else source.choice(_FRAMES)
        flags = V | source.getrandbits(10) | source.choice((0, R | U))
        if source.random() < 0.1:
            flags &= ~(R | W)
    if source.random() < 0.04:
        flags |= source.choice((A, D, U, W))
    if source.random() < 0.03:
        flags &= ~V
    if source.random() < 0.04:
        flags |= 1 << source.randrange(54, 64)
    return make_pte(frame, flags)

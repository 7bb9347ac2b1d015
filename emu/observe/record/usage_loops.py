"""Loops over the PTEs of processes and over the bytes of copied pages.

Cython compiles them, with the types in ``usage_loops.pxd``, to loops in C. ``words`` is RAM as
64-bit words; ``kinds``, ``counts`` and ``users`` are by a frame's PPN less ``base``.
"""

from __future__ import annotations

from emu.machine.pte import PAGE_SIZE, PPN_MASK, PPN_SHIFT, PTES_PER_TABLE, V

_PRIVATE = 1
_CACHE = 2
"""``Kind.PRIVATE`` and ``Kind.CACHE``: what counts as memory of a process."""
_WORD = 8
_BYTE = 0xFF


def add_users(
    words: memoryview[int],
    tables: list[int],
    kinds: memoryview[int],
    users: memoryview[int],
    base: int,
) -> None:
    """Adds a user to each frame that the leaf tables at the words ``tables`` map."""
    for table in tables:
        for at in range(table, table + PTES_PER_TABLE):
            pte = words[at]
            if pte & V:
                index = (pte >> PPN_SHIFT & PPN_MASK) - base
                if kinds[index] == _PRIVATE or kinds[index] == _CACHE:
                    users[index] += 1


def usage_of_tables(
    words: memoryview[int],
    tables: list[int],
    kinds: memoryview[int],
    users: memoryview[int],
    base: int,
) -> tuple[int, float, int]:
    """RSS, PSS and USS of the pages that the leaf tables map, from the ``users`` of the frames."""
    resident = unique = 0
    proportional = 0.0
    for table in tables:
        for at in range(table, table + PTES_PER_TABLE):
            pte = words[at]
            if pte & V:
                index = (pte >> PPN_SHIFT & PPN_MASK) - base
                if kinds[index] == _PRIVATE or kinds[index] == _CACHE:
                    resident += 1
                    proportional += 1.0 / users[index]
                    unique += users[index] == 1
    return resident, proportional, unique


def usage_from_counts(
    words: memoryview[int],
    table: int,
    others: int,
    kinds: memoryview[int],
    counts: memoryview[int],
    base: int,
) -> tuple[int, float, int]:
    """The same from the frames' reference counts, where ``others`` share the leaf table."""
    resident = unique = 0
    proportional = 0.0
    for at in range(table, table + PTES_PER_TABLE):
        pte = words[at]
        if pte & V:
            index = (pte >> PPN_SHIFT & PPN_MASK) - base
            if kinds[index] == _PRIVATE or kinds[index] == _CACHE:
                users = counts[index] - (kinds[index] == _CACHE) + others
                resident += 1
                proportional += 1.0 / users
                unique += users == 1
    return resident, proportional, unique


def pages_of_frame(words: memoryview[int], table: int, frame: int) -> list[int]:
    """The indices of the PTEs in the leaf table that map ``frame``, a PPN."""
    found = []
    for at in range(table, table + PTES_PER_TABLE):
        pte = words[at]
        if pte & V and pte >> PPN_SHIFT & PPN_MASK == frame:
            found.append(at - table)
    return found


def different_bytes(before: memoryview[int], words: memoryview[int], page: int) -> int:
    """Counts the bytes in which the page at word ``page`` differs from the 512 words ``before``."""
    found = 0
    for at in range(PAGE_SIZE // _WORD):
        bits = before[at] ^ words[page + at]
        while bits:
            found += bits & _BYTE != 0
            bits >>= _WORD
    return found

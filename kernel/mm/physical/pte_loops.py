"""Loops over PTEs of leaf tables and over the counts of the frames that they map.

Cython compiles them, with the types in ``pte_loops.pxd``, to loops in C that suit any number of
pages. As plain Python they suit few, and NumPy handles more (:func:`in_loops`).

``words`` is RAM as 64-bit words; ``counts``, ``kinds`` and ``marks`` are those of ``Frames``, by
the PPN less ``base``.
"""

from __future__ import annotations

from typing import Final

from emu.machine.pte import PPN_MASK, PPN_SHIFT, V, W
from kernel.mm.physical.frame_runs import FORKED
from kernel.mm.physical.numpy_threshold import without_numpy

_COMPILED: Final = not __file__.endswith(".py")
_PRIVATE: Final = 1
"""``Kind.PRIVATE``."""


def in_loops(tables: int) -> bool:
    """Returns whether this number of tables is handled by the loops of this file."""
    return _COMPILED or without_numpy(tables)


def maps_a_page(words: memoryview[int], first: int, last: int) -> bool:
    """Returns whether one of the PTEs at words [first, last) maps a page."""
    for at in range(first, last):  # noqa: SIM110 - Cython makes a closure of a generator
        if words[at] & V:
            return True
    return False


def share(
    words: memoryview[int],
    source: int,
    target: int,
    number: int,
    mask: int,
    counts: memoryview[int],
    kinds: memoryview[int],
    marks: memoryview[int],
    base: int,
) -> tuple[int, int]:
    """Copies ``number`` PTEs from word ``source`` to ``target``, with the flags in ``mask``, and
    adds a reference to each frame. Returns the number of pages, and of those in private frames.
    """
    mapped = private = 0
    for offset in range(number):
        pte = words[source + offset]
        if pte & V:
            mapped += 1
            words[target + offset] = pte & mask
            index = (pte >> PPN_SHIFT & PPN_MASK) - base
            counts[index] += 1
            if kinds[index] == _PRIVATE:
                private += 1
                marks[index] |= FORKED
    return mapped, private


def take_w(words: memoryview[int], first: int, last: int, cow: int) -> int:
    """Replaces W by ``cow`` in the PTEs at words [first, last); returns the number of changes."""
    lost = 0
    for at in range(first, last):
        pte = words[at]
        if pte & W:
            words[at] = pte ^ W | cow
            lost += 1
    return lost


def count(
    words: memoryview[int], first: int, last: int, kinds: memoryview[int], base: int, zero: int
) -> tuple[int, int, int]:
    """Counts the pages that the PTEs at words [first, last) map: all, those in private frames, and
    those of the frame of zeroes with the PPN ``zero``.
    """
    mapped = private = zeroes = 0
    for at in range(first, last):
        pte = words[at]
        if pte & V:
            mapped += 1
            ppn = pte >> PPN_SHIFT & PPN_MASK
            if kinds[ppn - base] == _PRIVATE:
                private += 1
            elif ppn == zero:
                zeroes += 1
    return mapped, private, zeroes


def release(
    words: memoryview[int],
    first: int,
    last: int,
    counts: memoryview[int],
    base: int,
    freed: memoryview[int],
    before: int,
) -> tuple[int, int]:
    """Removes a reference for each PTE at words [first, last).

    Stores the indices of the frames that are left without references in ``freed``, which holds
    ``before`` of them already. Returns the number of pages, and of the indices in ``freed``; -1
    pages if a frame had no reference.
    """
    mapped = 0
    for at in range(first, last):
        pte = words[at]
        if pte & V:
            index = (pte >> PPN_SHIFT & PPN_MASK) - base
            left = counts[index] - 1
            if left < 0:
                return -1, before
            mapped += 1
            counts[index] = left
            if left == 0:
                freed[before] = index
                before += 1
    return mapped, before

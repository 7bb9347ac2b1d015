"""The steps of the random programs: each emits one call and updates the model.

``alone`` says that the process has the turn; without it a step keeps to private memory.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.oracles.programs.model import (
    ANONYMOUS,
    ARENAS,
    FILE_PRIVATE,
    FILE_SHARED,
    GLOBAL,
    NONE,
    PAGE,
    PAGES,
    READ,
    RW,
    SHARED,
    STACK,
    Page,
    Process,
)


class Writer:
    """The text of a program under construction."""

    def __init__(self, pick: random.Random) -> None:
        self.pick = pick
        self.indent = 1
        self.number = 0
        self._lines: list[str] = []

    def emit(self, *lines: str) -> None:
        self._lines += ["    " * self.indent + line for line in lines]

    def call(self, function: str, *arguments: int | str) -> None:
        """Emits a numbered call of a function of program.h."""
        self.number += 1
        self.emit(f"{function}({', '.join(map(str, (self.number, *arguments)))});")

    def text(self) -> str:
        return "\n".join(self._lines)

    # Random arguments.

    def span(self) -> tuple[int, int]:
        """A random page and count."""
        page = self.pick.randrange(PAGES)
        return page, self.pick.randrange(1, min(4, PAGES - page) + 1)

    def offset(self, align: int) -> int:
        """A random offset in a page, often near its end."""
        if self.pick.random() < 0.3:
            return PAGE - align * self.pick.randrange(1, 9)
        return self.pick.randrange(PAGE // align) * align

    def seed(self) -> int:
        return self.pick.randrange(1, 1 << 16)

    def slot(self, process: Process, alone: bool) -> int:
        return self.pick.choice([s for s in range(STACK + 1) if alone or process.private(s)])

    def arena(self, process: Process, alone: bool) -> int | None:
        fit = [s for s in range(ARENAS) if alone or process.private(s)]
        return self.pick.choice(fit) if fit else None


def writable(pick: random.Random, process: Process, count: int) -> tuple[int, int]:
    """A slot of private memory, and the first of ``count`` writable pages in it."""
    fit = [
        (slot, page)
        for slot in range(STACK + 1)
        if process.private(slot)
        for page in range(PAGES - count + 1)
        if all(process.prot(slot, page + i) == RW for i in range(count))
    ]
    return pick.choice(fit)


# The program's own loads and stores.


def fill(out: Writer, process: Process, alone: bool) -> None:
    step = out.pick.choice((1, 8, 61, 512, PAGE))
    out.call("fill", out.slot(process, alone), *out.span(), step, out.seed())


def look(out: Writer, process: Process, alone: bool) -> None:
    out.call("look", out.slot(process, alone))


def add(out: Writer, process: Process, alone: bool) -> None:
    slot = out.slot(process, alone)
    out.call("add", slot, out.pick.randrange(PAGES), out.offset(8), out.seed())


def exchange(out: Writer, process: Process, alone: bool) -> None:
    slot = out.slot(process, alone)
    out.call("exchange", slot, out.pick.randrange(PAGES), out.offset(4), out.seed())


def wide(out: Writer, process: Process, alone: bool) -> None:
    """Both pages are writable: which fault comes first is up to the hart."""
    slot, page = writable(out.pick, process, 2)
    out.emit(f"wide({slot}, {page}, PAGE - {out.pick.randrange(9)}, {out.seed()}ul << 20);")


def recurse(out: Writer, process: Process, alone: bool) -> None:
    out.call("recurse", out.pick.randrange(1, 120), out.seed())


def grow_heap(out: Writer, process: Process, alone: bool) -> None:
    out.call("grow_heap", out.pick.randrange(1, 5000))


# The kernel's.


def read_file(out: Writer, process: Process, alone: bool) -> None:
    slot, page, offset, count = _buffer(out, process, alone)
    if process.of_kind(slot, FILE_SHARED):
        return  # the file read into itself
    # From within the file (qemu: beyond it, EFAULT comes first); truncate_file leaves so much.
    out.call("read_file", slot, page, offset, count, out.pick.randrange(3000))


def read_pipe(out: Writer, process: Process, alone: bool) -> None:
    out.call("read_pipe", *_buffer(out, process, alone), out.seed())


def write_pipe(out: Writer, process: Process, alone: bool) -> None:
    out.call("write_pipe", *_buffer(out, process, alone))


def _buffer(out: Writer, process: Process, alone: bool) -> tuple[int, int, int, int]:
    """Slot, page, offset, count. Two pages only when both may be accessed: how much of a buffer is
    used before its first bad page differs (qemu: nothing)."""
    if out.pick.random() < 0.4:
        slot, page = writable(out.pick, process, 2)
        offset = out.offset(1)
        return slot, page, offset, out.pick.randrange(1, 2 * PAGE - offset)
    offset = out.offset(1)
    count = out.pick.randrange(1, PAGE - offset + 1)
    return out.slot(process, alone), out.pick.randrange(PAGES), offset, count


def pipe_into(out: Writer, process: Process, alone: bool) -> None:
    out.call("pipe_into", *writable(out.pick, process, 1), out.offset(8))


# The file's size is always a number of whole pages, and one at least: whether a store beyond the
# end of a file, in its last page, is seen when the file grows, is up to the file system.


def write_file(out: Writer, process: Process, alone: bool) -> None:
    start = out.pick.randrange(4 * PAGE)
    count = PAGE - start % PAGE + out.pick.choice((0, 0, PAGE))
    if start < PAGE:
        count = out.pick.randrange(1, PAGE - start + 1)
    out.call("write_file", start, count, out.seed())


def truncate_file(out: Writer, process: Process, alone: bool) -> None:
    out.call("truncate_file", out.pick.randrange(1, 6) * PAGE)


# Mappings.


def map_pages(
    out: Writer,
    process: Process,
    slot: int,
    page: int,
    count: int,
    prot: int,
    kind: int,
    first: int,
) -> None:
    out.call("map", slot, page, count, prot, kind, first)
    _now(process, slot, page, [Page(kind, prot, out.number)] * count)


def map_(out: Writer, process: Process, alone: bool) -> None:
    slot = out.arena(process, alone)
    if slot is None:
        return
    kind = out.pick.choice((ANONYMOUS, ANONYMOUS, SHARED, FILE_PRIVATE, FILE_SHARED))
    prot = out.pick.choice((RW, RW, RW, RW, READ, NONE))
    first = out.pick.randrange(4)
    map_pages(out, process, slot, *out.span(), prot, kind if alone else ANONYMOUS, first)


def unmap(out: Writer, process: Process, alone: bool) -> None:
    slot = out.arena(process, alone)
    if slot is None:
        return
    page, count = out.span()
    out.call("unmap", slot, page, count)
    _now(process, slot, page, [None] * count)


def protect(out: Writer, process: Process, alone: bool) -> None:
    """Only what is mapped: of a range with a hole, how much changes differs (qemu: its flags)."""
    slot = GLOBAL if out.pick.random() < 0.2 else out.arena(process, alone)
    if slot is None:
        return
    page, count = out.span()
    prot = out.pick.choice((RW, RW, READ, NONE))
    if slot == GLOBAL:
        process.global_prot[page : page + count] = [prot] * count
    else:
        pages = [p for p in process.arenas[slot][page : page + count] if p is not None]
        if len(pages) < count:
            return
        new = [replace(p, prot=prot, mapping=-out.number * PAGES - p.mapping) for p in pages]
        _now(process, slot, page, new)
    out.call("protect", slot, page, count, prot)


def discard(out: Writer, process: Process, alone: bool) -> None:
    """Not what was moved (qemu: ignored there)."""
    slot = out.arena(process, alone)
    if slot is None:
        return
    page, count = out.span()
    pages = process.arenas[slot][page : page + count]
    if all(p is not None and not p.moved for p in pages):
        out.call("discard", slot, page, count)


def move(out: Writer, process: Process, alone: bool) -> None:
    slot, to = out.arena(process, alone), out.arena(process, alone)
    if slot is None or to is None:
        return
    (page, count), (to_page, to_count) = out.span(), out.span()
    pages = [p for p in process.arenas[slot][page : page + count] if p is not None]
    if len(pages) < count or len({p.mapping for p in pages}) > 1:
        return  # of several mappings, which Linux refuses if it hasn't merged them
    if slot == to and page < to_page + to_count and to_page < page + count:
        return
    out.call("move", slot, page, count, to, to_page, to_count)
    _now(process, slot, page, [None] * count)
    moved = replace(pages[0], mapping=out.number, moved=True)
    _now(process, to, to_page, [moved] * to_count)


def _now(process: Process, slot: int, page: int, pages: Sequence[Page | None]) -> None:
    process.arenas[slot][page : page + len(pages)] = pages


Step = Callable[[Writer, Process, bool], None]

PRIVATE_STEPS: list[tuple[int, Step]] = [
    (20, fill),
    (8, look),
    (4, add),
    (3, exchange),
    (5, wide),
    (3, recurse),
    (1, grow_heap),
    (4, read_pipe),
    (4, write_pipe),
    (2, pipe_into),
    (4, map_),
    (2, unmap),
    (6, protect),
    (4, discard),
    (4, move),
]
STEPS: list[tuple[int, Step]] = [
    *PRIVATE_STEPS,
    (4, read_file),
    (4, write_file),
    (2, truncate_file),
]

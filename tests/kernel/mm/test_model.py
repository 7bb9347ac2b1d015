"""Do copy-on-write processes behave as if every fork copied everything?

Hypothesis drives random sequences of memory operations over several processes, in the kernel and in
a model without frames, page tables and sharing: a dict of pages for each process, copied whole at
every fork. After each step every page must be the same in both, and every invariant of the kernel
must hold. ``EMU_EXAMPLES`` sets the number of sequences.
"""

# ruff: noqa: PT017 - whether a step may fail depends on the model

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from emu.lab.simulation.cpu import Killed
from emu.machine.pte import HUGE_SIZE, PAGE_SIZE, V, ppn
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.huge_policy import HugePages, Thp, ThpCow
from kernel.mm.mappings.vma import Prot
from kernel.mm.outcome import Outcome
from kernel.mm.usage.clear_refs import clear_refs
from kernel.syscalls.memory.mappings import Map
from kernel.vfs.core.linux_abi import O_RDONLY, O_RDWR
from kernel.vfs.core.open_file import RegularFile
from tests.kernel.worlds import RW, Caller, World, ranges_gone_through

EXAMPLES = int(os.environ.get("EMU_EXAMPLES", "0"))

PAGES = 10
FIRST = 0x401F_A000  # six pages below the end of a leaf table
FILE_PAGES = 3
MOST_PROCESSES = 4
RIGHTS = (RW, RW, RW, Prot.READ, Prot.NONE, Prot.READ | Prot.EXEC, Prot(7), Prot.WRITE)

pages = st.integers(0, PAGES - 1)
counts = st.integers(1, 4)
rights = st.sampled_from(RIGHTS)
who = st.integers(0, MOST_PROCESSES - 1)
texts = st.binary(min_size=1, max_size=24)
offsets = st.sampled_from((0, 8, 100, PAGE_SIZE - 10, PAGE_SIZE - 1))


@dataclass
class Bytes:
    """The content of one page; a shared page is one object in several mappings."""

    data: bytearray = field(default_factory=lambda: bytearray(PAGE_SIZE))


@dataclass
class Page:
    """A page of the model. A private page of a file is ``from_file`` until the first store."""

    prot: Prot
    content: Bytes | None
    """None for a page beyond the end of a file."""
    shared: bool = False
    from_file: bool = False
    source: list[Bytes] | None = None
    """Pages of the file or shared memory; this page is number ``index``."""
    index: int = 0
    dont_fork: bool = False
    wipe: bool = False
    may_write: bool = True
    """False for a shared mapping of a file opened read-only."""

    def copied(self) -> Page:
        """Returns the page of a forked child."""
        other = copy(self)
        if self.wipe:
            other.content = Bytes()
        elif not self.shared and not self.from_file and self.content is not None:
            other.content = Bytes(bytearray(self.content.data))
        return other


@dataclass
class Side:
    """One process, in the kernel and in the model."""

    space: AddressSpace
    call: Caller
    pages: dict[int, Page] = field(default_factory=dict)


Step = tuple[int, str, dict[str, Any]]
"""A step of a random walk: its weight, its name and its arguments."""


def may_lack_memory(step: Callable[..., None]) -> Callable[..., None]:
    """Allows a step to raise OutOfMemory where memory is short."""

    @wraps(step)
    def may_raise(self: Processes, *arguments: object, **named: object) -> None:
        try:
            step(self, *arguments, **named)
        except OutOfMemory:
            assert self.short

    return may_raise


class Processes(RuleBasedStateMachine):
    memory_pages = 2048
    modes = tuple(Thp)
    short = False
    in_one_page = False
    """True when no access crosses the end of a page: it is then complete or absent."""

    @initialize(
        policy=st.sampled_from(sorted(POLICIES)),
        page_by_page=st.booleans(),
        mode=st.sampled_from(Thp),
        copied=st.sampled_from(ThpCow),
    )
    def begin(
        self,
        policy: str,
        page_by_page: bool = True,
        mode: Thp = Thp.ALWAYS,
        copied: ThpCow = ThpCow.PAGE,
    ) -> None:
        self.policy = policy
        self.ranges = ExitStack()
        self.ranges.enter_context(ranges_gone_through(page_by_page=page_by_page))
        self.world = World(self.memory_pages)
        self.world.huge_pages = HugePages(supported=True, mode=mode, copied=copied)
        content = bytes(range(256)) * 16 * FILE_PAGES
        self.node = self.world.file(content)
        self.file = RegularFile(self.node, O_RDWR, "/file").acquire()
        self.sealed = RegularFile(self.node, O_RDONLY, "/file").acquire()
        self.on_disk = [
            Bytes(bytearray(content[i * PAGE_SIZE : (i + 1) * PAGE_SIZE]))
            for i in range(FILE_PAGES)
        ]
        space = self.world.space()
        self.sides = [Side(space, Caller(self.world, space))]
        self.first_mappings()

    def first_mappings(self) -> None:
        self.map_anonymous(n=0, at=0, count=4, prot=RW)
        self.map_shared(n=0, at=4, count=2, prot=RW)
        self.map_file(n=0, at=6, count=2, prot=RW, shared=False, first=0)
        self.map_file(n=0, at=8, count=1, prot=RW, shared=True, first=0)

    def address(self, page: int) -> int:
        return FIRST + page * PAGE_SIZE

    def span(self, at: int, count: int) -> tuple[int, int]:
        """Address and length of ``count`` pages from number ``at`` on."""
        start = self.address(at)
        return start, self.address(at + count) - start

    def side(self, number: int) -> Side:
        return self.sides[number % len(self.sides)]

    def further_steps(self, pick: random.Random, n: int) -> list[Step]:
        """Steps of a random walk besides those of all machines."""
        return []

    # Memory calls.

    def _map(self, side: Side, at: int, count: int, prot: Prot, flags: int, first: int) -> bool:
        fd = -1 if flags & Map.ANONYMOUS else self.file
        offset = first * PAGE_SIZE
        start, length = self.span(at, count)
        side.call.mmap(start, length, prot, flags | Map.FIXED, fd, offset)
        return True

    @rule(n=who, at=pages, count=counts, prot=rights)
    @may_lack_memory
    def map_anonymous(self, n: int, at: int, count: int, prot: Prot) -> None:
        side = self.side(n)
        self._map(side, at, count, prot, Map.PRIVATE | Map.ANONYMOUS, 0)
        side.pages.update({at + i: Page(prot, Bytes()) for i in range(count)})

    @rule(n=who, at=pages, count=counts, prot=rights)
    @may_lack_memory
    def map_shared(self, n: int, at: int, count: int, prot: Prot) -> None:
        side = self.side(n)
        self._map(side, at, count, prot, Map.SHARED | Map.ANONYMOUS, 0)
        memory = [Bytes() for _ in range(count)]
        side.pages.update({at + i: from_source(prot, memory, i, True) for i in range(count)})

    @rule(n=who, at=pages, count=counts, prot=rights, shared=st.booleans(), first=st.integers(0, 2))
    @may_lack_memory
    def map_file(self, n: int, at: int, count: int, prot: Prot, shared: bool, first: int) -> None:
        side = self.side(n)
        flags = Map.SHARED if shared else Map.PRIVATE
        self._map(side, at, count, prot, flags, first)
        for i in range(count):
            side.pages[at + i] = from_source(prot, self.on_disk, first + i, shared)

    @rule(n=who, at=pages, count=counts, first=st.integers(0, 2))
    @may_lack_memory
    def map_sealed(self, n: int, at: int, count: int, first: int) -> None:
        """Maps the file, opened read-only, as shared."""
        side = self.side(n)
        offset = first * PAGE_SIZE
        flags = Map.SHARED | Map.FIXED
        side.call.mmap(*self.span(at, count), Prot.READ, flags, self.sealed, offset)
        for i in range(count):
            page = from_source(Prot.READ, self.on_disk, first + i, True)
            page.may_write = False
            side.pages[at + i] = page

    @rule(n=who, at=pages, count=counts)
    @may_lack_memory
    def unmap(self, n: int, at: int, count: int) -> None:
        side = self.side(n)
        side.call.munmap(*self.span(at, count))
        for i in range(count):
            side.pages.pop(at + i, None)

    @rule(n=who, at=pages, count=counts, prot=rights)
    @may_lack_memory
    def protect(self, n: int, at: int, count: int, prot: Prot) -> None:
        """mprotect; an error changes all pages below the first one that cannot be changed."""
        side = self.side(n)
        changed, failure = self._protectable(side, at, count, prot)
        try:
            side.call.mprotect(*self.span(at, count), prot)
        except Errno as error:
            assert str(error) == failure
        else:
            assert not failure, f"mprotect succeeded instead of {failure}"
        for page in changed:
            page.prot = prot

    def _protectable(self, side: Side, at: int, count: int, prot: Prot) -> tuple[list[Page], str]:
        found: list[Page] = []
        for number in range(at, at + count):
            page = side.pages.get(number)
            if page is None:
                return found, "ENOMEM"
            if prot & Prot.WRITE and not page.may_write:
                return found, "EACCES"
            found.append(page)
        return found, ""

    @rule(n=who, at=pages, count=counts)
    @may_lack_memory
    def discard(self, n: int, at: int, count: int) -> None:
        """MADV_DONTNEED."""
        side = self.side(n)
        whole = all(at + i in side.pages for i in range(count))
        try:
            side.call.madvise(*self.span(at, count), 4)
        except Errno as error:
            assert str(error) == "ENOMEM" and not whole
        for i in range(count):
            page = side.pages.get(at + i)
            if page is None or page.shared:
                continue
            if page.source is None:
                page.content = Bytes()
            else:
                fresh = from_source(page.prot, page.source, page.index, False)
                page.content, page.from_file = fresh.content, True

    @rule(n=who, at=pages, count=counts, advice=st.sampled_from((10, 11, 18, 19)))
    @may_lack_memory
    def advise(self, n: int, at: int, count: int, advice: int) -> None:
        """MADV_DONTFORK, DOFORK, WIPEONFORK, KEEPONFORK; stops where wiping is not possible."""
        side = self.side(n)
        touched = [side.pages[at + i] for i in range(count) if at + i in side.pages]
        try:
            side.call.madvise(*self.span(at, count), advice)
        except Errno as error:
            if str(error) == "EINVAL":
                assert advice == 18
                refused_at = next(i for i, page in enumerate(touched) if page.source is not None)
                del touched[refused_at:]  # the preceding ones were advised, as in Linux
            else:
                assert str(error) == "ENOMEM" and len(touched) < count
        for page in touched:
            if advice in (10, 11):
                page.dont_fork = advice == 10
            else:
                page.wipe = advice == 18

    @rule(n=who, at=pages, count=counts, advice=st.sampled_from((14, 15)))
    def advise_huge(self, n: int, at: int, count: int, advice: int) -> None:
        """MADV_HUGEPAGE, MADV_NOHUGEPAGE: no page changes."""
        side = self.side(n)
        try:
            side.call.madvise(*self.span(at, count), advice)
        except Errno as error:
            assert str(error) == "ENOMEM"
            assert any(at + i not in side.pages for i in range(count))

    @rule(n=who, at=pages, count=counts)
    def collapse(self, n: int, at: int, count: int) -> None:
        """MADV_COLLAPSE, which fails for want of memory or of a mapping: no page changes."""
        side = self.side(n)
        start, length = self.span(at, count)
        try:
            side.call.madvise(start, length, 25)
        except Errno as error:
            assert str(error) in ("ENOMEM", "EINVAL")
        else:
            for va in range(-(-start // HUGE_SIZE) * HUGE_SIZE, start + length, HUGE_SIZE):
                assert side.space.table.is_huge(va) or va + HUGE_SIZE > start + length

    @rule(n=who, what=st.integers(1, 5))
    @may_lack_memory
    def clear_refs(self, n: int, what: int) -> None:
        """/proc/PID/clear_refs: forgets accesses, or stores, but no page."""
        clear_refs(self.side(n).space, what)

    @rule(n=who, at=pages, count=counts, new_count=counts, to=pages)
    @may_lack_memory
    def remap(self, n: int, at: int, count: int, new_count: int, to: int) -> None:
        """mremap with MREMAP_FIXED; a range of several mappings only moves, with its holes."""
        side = self.side(n)
        if count == new_count and self._steps(at, count) != self._steps(to, count):
            return  # pages would move to addresses between those of the model
        before = [side.pages.get(at + i) for i in range(count)]
        overlap = at < to + new_count and to < at + count
        try:
            got = side.call.mremap(
                *self.span(at, count), self.span(to, new_count)[1], 3, self.address(to)
            )
        except Errno as error:
            assert str(error) in ("EFAULT", "EINVAL")
            assert overlap or None in before or count > 1  # the range may have two mappings
            return
        assert got == self.address(to) and not overlap and before[0] is not None
        if count == new_count:
            for i, page in enumerate(before):
                if page is not None:
                    side.pages[to + i] = side.pages.pop(at + i)
            return
        assert None not in before
        self._freed_target(side, to, new_count)
        for i in range(count):
            side.pages.pop(at + i, None)
        moved = [page for page in before if page is not None][:new_count]
        for i, page in enumerate(moved):
            side.pages[to + i] = page
        for i in range(len(moved), new_count):
            beyond = self.address(to + i) - self.address(to + len(moved) - 1)
            side.pages[to + i] = self._grown(moved[-1], beyond // PAGE_SIZE)

    def _steps(self, at: int, count: int) -> list[int]:
        """Distances of the pages from the first of them."""
        return [self.address(at + i) - self.address(at) for i in range(count)]

    def _freed_target(self, side: Side, to: int, count: int) -> None:
        for i in range(count):
            side.pages.pop(to + i, None)

    def _grown(self, last: Page, beyond: int) -> Page:
        """The page that is ``beyond`` pages after the last one that moved."""
        if last.source is None:
            page = Page(last.prot, Bytes())
        else:
            index = last.index + beyond
            page = from_source(last.prot, last.source, index, last.shared)
        page.dont_fork, page.wipe = last.dont_fork, last.wipe
        page.may_write = last.may_write
        return page

    # Reading and writing.

    @rule(writes=st.lists(st.tuples(who, pages, offsets, texts, st.booleans()), max_size=6))
    def write_several(self, writes: list[tuple[int, int, int, bytes, bool]]) -> None:
        for write in writes:
            self.write(*write)

    @rule(n=who, at=pages, offset=offsets, text=texts, kernel=st.booleans())
    def write_one(self, n: int, at: int, offset: int, text: bytes, kernel: bool) -> None:
        self.write(n, at, offset, text, kernel)

    @may_lack_memory
    def write(self, n: int, at: int, offset: int, text: bytes, kernel: bool) -> None:
        """Stores of the program, or a write by the kernel, as of read(2)."""
        side = self.side(n)
        if self.in_one_page:
            text = text[: PAGE_SIZE - offset]
        if offset % 2 == 0:
            self._look(side, at)
        va = self.address(at) + offset
        parts = self._parts(at, offset, text)
        allowed = []
        for number, start, part in parts:
            page = side.pages.get(number)
            if page is None or not page.prot & Prot.WRITE or page.content is None:
                break
            allowed.append((page, start, part))
        try:
            if kernel:
                side.call.mem.write(va, text)
            else:
                self.world.store(side.space, va, text)
        except (Killed, Errno) as error:
            self._was_memory(error)
            assert len(allowed) < len(parts), f"a write that is allowed gave {error}"
        else:
            assert len(allowed) == len(parts), "a write that is forbidden succeeded"
        for page, start, part in allowed:
            self._model_write(page, start, part)
        if offset % 3 == 0:
            self._look(side, at)

    def _look(self, side: Side, at: int) -> None:
        """The program reads the page, with the current entries of its TLB."""
        page = side.pages.get(at)
        if page is None or page.content is None or not page.prot & (Prot.READ | Prot.WRITE):
            return
        try:
            content = self.world.load(side.space, self.address(at), PAGE_SIZE)
        except Killed as refused:
            self._was_memory(refused)
            raise
        assert content == page.content.data, f"the program reads other bytes from page {at}"

    def _was_memory(self, error: Exception) -> None:
        if isinstance(error, Killed) and error.outcome is Outcome.OUT_OF_MEMORY:
            raise OutOfMemory

    def _parts(self, at: int, offset: int, text: bytes) -> list[tuple[int, int, bytes]]:
        here = text[: PAGE_SIZE - offset]
        rest = text[len(here) :]
        return [(at, offset, here), *([(at + 1, 0, rest)] if rest else [])]

    def _model_write(self, page: Page, start: int, part: bytes) -> None:
        assert page.content is not None
        if page.from_file:
            page.content = Bytes(bytearray(page.content.data))
            page.from_file = False
        page.content.data[start : start + len(part)] = part

    @rule(n=who, at=pages, offset=offsets, count=st.integers(1, 64), kernel=st.booleans())
    @may_lack_memory
    def read(self, n: int, at: int, offset: int, count: int, kernel: bool) -> None:
        side = self.side(n)
        if self.in_one_page:
            count = min(count, PAGE_SIZE - offset)
        expected: bytes | None = None
        content = bytearray()
        for number, start, part in self._parts(at, offset, bytes(count)):
            page = side.pages.get(number)
            if page is None or not page.prot & (Prot.READ | Prot.WRITE) or page.content is None:
                break
            content += page.content.data[start : start + len(part)]
        else:
            expected = bytes(content)
        va = self.address(at) + offset
        try:
            if kernel:
                got = side.call.mem.read(va, count)
            else:
                got = self.world.load(side.space, va, count)
        except (Killed, Errno) as error:
            self._was_memory(error)
            assert expected is None, f"a read that is allowed gave {error}"
        else:
            assert got == expected

    @rule(page=st.integers(0, FILE_PAGES - 1), offset=st.integers(0, PAGE_SIZE - 40), text=texts)
    @may_lack_memory
    def write_to_the_file(self, page: int, offset: int, text: bytes) -> None:
        """write(2) to the file, mapped or not."""
        self.node.write_file(page * PAGE_SIZE + offset, text)
        self.on_disk[page].data[offset : offset + len(text)] = text

    @rule(page=st.integers(0, FILE_PAGES - 1))
    @may_lack_memory
    def read_the_file(self, page: int) -> None:
        assert self.node.read_file(page * PAGE_SIZE, PAGE_SIZE) == self.on_disk[page].data

    @rule()
    def reclaim(self) -> None:
        """As when memory is short: unmapped pages of the cache, and of zeroes, are released."""
        self.world.frames.reclaim()

    # Processes.

    @precondition(lambda self: len(self.sides) < MOST_PROCESSES)
    @rule(n=who)
    @may_lack_memory
    def fork(self, n: int) -> None:
        parent = self.side(n)
        space = self.world.fork(parent.space, self.policy)
        child = Side(space, Caller(self.world, space))
        child.pages = {
            number: page.copied() for number, page in parent.pages.items() if not page.dont_fork
        }
        self.sides.append(child)

    @precondition(lambda self: len(self.sides) > 1)
    @rule(n=who)
    def exit(self, n: int) -> None:
        side = self.side(n)
        self.sides.remove(side)
        self.world.exit(side.space)

    # Invariants after each step.

    @invariant()
    def all_invariants_hold(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    @invariant()
    def every_page_is_as_in_the_model(self) -> None:
        for side in getattr(self, "sides", ()):
            for number in range(PAGES + 12):
                page = side.pages.get(number)
                vma = side.space.find(self.address(number))
                assert (page is None) == (vma is None), f"page {number} is mapped in one only"
                if page is None or vma is None:
                    continue
                assert vma.prot == page.prot
                pte = side.space.table.pte(self.address(number))
                if pte & V:
                    assert page.content is not None, "a page beyond the end of its file is there"
                    frame = self.world.ram.read_frame(ppn(pte))
                    assert frame == page.content.data, f"page {number} differs"
                elif page.source is None:
                    assert page.content is not None and not any(page.content.data), (
                        f"page {number} was lost"
                    )

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.ranges:
            self.world.end()
            content = b"".join(bytes(page.data) for page in self.on_disk)
            assert self.node.read_at(0, len(content)) == content, "the file lacks what was stored"


def from_source(prot: Prot, source: list[Bytes], index: int, shared: bool) -> Page:
    content = source[index] if index < len(source) else None
    return Page(prot, content, shared, not shared, source, index)


class ShortOfMemory(Processes):
    """The same with so few frames that any step may fail; it then must have changed nothing."""

    memory_pages = 24
    short = in_one_page = True


def run(machine: type[Processes], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES or examples,
            stateful_step_count=50,
            deadline=None,
            derandomize=not EXAMPLES,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_processes_behave_as_if_every_fork_copied_everything() -> None:
    run(Processes, 60)


def test_a_step_that_finds_no_frame_changes_nothing() -> None:
    run(ShortOfMemory, 60)


STEPS = int(os.environ.get("EMU_STEPS", "0")) or 500


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("machine", [Processes, ShortOfMemory])
def test_a_long_random_walk(machine: type[Processes], policy: str) -> None:
    """The same steps from a seed: many more, but failures are not minimized."""
    walk_at_random(machine, policy, f"{machine.__name__} {policy}", STEPS)


def walk_at_random(machine: type[Processes], policy: str, seed: str, steps: int) -> Processes:
    pick = random.Random(seed)
    walk = machine()
    walk.begin(policy, pick.random() < 0.5, pick.choice(walk.modes), pick.choice(list(ThpCow)))
    n = 0
    for number in range(steps):
        if pick.random() < 0.15:  # mostly the same process, whose TLB is warm
            n = pick.randrange(MOST_PROCESSES)
        step, arguments = random_step(pick, walk, n)
        try:
            getattr(walk, step)(**arguments)
            walk.all_invariants_hold()
            walk.every_page_is_as_in_the_model()
        except Exception as error:
            walk.ranges.close()
            error.add_note(f"at step {number}: {step}({arguments})")
            raise
    walk.teardown()
    return walk


def random_step(pick: random.Random, walk: Processes, n: int) -> tuple[str, dict[str, Any]]:
    at, count = pick.randrange(PAGES), pick.randrange(1, 5)
    prot, kernel = pick.choice(RIGHTS), pick.random() < 0.5
    offset = pick.choice((0, 8, 9, PAGE_SIZE - 10, PAGE_SIZE - 1))
    text = pick.randbytes(pick.randrange(1, 24))
    where: dict[str, Any] = {"n": n, "at": at, "count": count}
    steps: list[Step] = [
        (40, "write", {"n": n, "at": at, "offset": offset, "text": text, "kernel": kernel}),
        (20, "read", {**where, "offset": offset, "kernel": kernel}),
        (6, "map_anonymous", {**where, "prot": prot}),
        (2, "map_shared", {**where, "prot": prot}),
        (3, "map_file", {**where, "prot": prot, "shared": kernel, "first": pick.randrange(3)}),
        (1, "map_sealed", {**where, "first": pick.randrange(3)}),
        (2, "unmap", where),
        (6, "protect", {**where, "prot": prot}),
        (3, "discard", where),
        (2, "advise", {**where, "advice": pick.choice((10, 11, 11, 18, 19))}),
        (4, "remap", {**where, "new_count": pick.randrange(1, 5), "to": pick.randrange(PAGES)}),
        (2, "write_to_the_file", {"page": at % 3, "offset": 16, "text": text}),
        (2, "read_the_file", {"page": at % 3}),
        (1, "reclaim", {}),
        (2, "advise_huge", {**where, "advice": pick.choice((14, 14, 15))}),
        (1, "collapse", where),
        (1, "clear_refs", {"n": n, "what": pick.randrange(1, 6)}),
        *walk.further_steps(pick, n),
        (8 if len(walk.sides) < MOST_PROCESSES else 0, "fork", {"n": n}),
        (5 if len(walk.sides) > 1 else 0, "exit", {"n": n}),
    ]
    _, step, arguments = pick.choices(steps, [weight for weight, _, _ in steps])[0]
    return step, arguments

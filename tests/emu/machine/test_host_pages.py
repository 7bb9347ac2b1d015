"""Which pages of the host does the machine's memory get, given what they cost?"""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass, field

import pytest

from emu.machine.host_pages import STEP, HostPages
from emu.machine.ram import Ram

if not hasattr(mmap, "MADV_HUGEPAGE"):
    pytest.skip("a host without huge pages", allow_module_level=True)

CHEAP, DEAR = 100_000, 4_500_000
SMALL = 1_500
"""Costs in ns: of a huge page whose memory is there or not, and of a small one."""
SIZE = 256 * STEP


@dataclass
class Host:
    """A host on which time passes only when it provides a page."""

    huge_ns: int
    has_huge: bool = True
    now: int = 0
    small_steps: set[int] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return SIZE

    def madvise(self, advice: int, start: int, size: int) -> None:
        steps = range(start // STEP, (start + size) // STEP)
        if advice == mmap.MADV_NOHUGEPAGE:
            self.small_steps.update(steps)

    def __setitem__(self, at: int, byte: int) -> None:
        assert byte == 0 and at not in self.touched
        self.touched.add(at)
        is_huge = self.has_huge and at // STEP not in self.small_steps
        self.now += self.huge_ns if is_huge else SMALL

    def pages(self, steps: int) -> HostPages:
        """The memory, with ``steps`` steps provided."""
        provided = HostPages(self, 0)  # type: ignore[arg-type]
        self.provide(provided, steps - 1)
        return provided

    def provide(self, pages: HostPages, steps: int) -> None:
        for _ in range(steps):
            pages.extend()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(CHEAP)
    monkeypatch.setattr(time, "thread_time_ns", lambda: host.now)
    monkeypatch.setattr(HostPages, "_is_resident", lambda _pages, _offset: host.has_huge)
    return host


def huge_steps(pages: HostPages) -> int:
    size: int = pages.summary()["huge_pages"]
    return size // STEP


def test_the_first_step_has_small_pages(host: Host) -> None:
    assert host.pages(1).summary() == {
        "huge_pages": 0,
        "small_pages": STEP,
        "huge_ns": 0,
        "small_ns": SMALL * STEP // mmap.PAGESIZE,
    }


def test_only_a_sample_of_small_pages_is_touched(host: Host) -> None:
    host.pages(1)
    assert len(host.touched) * mmap.PAGESIZE <= STEP // 16


def test_cheap_huge_pages_are_used_from_then_on(host: Host) -> None:
    assert huge_steps(host.pages(50)) == 49


def test_expensive_huge_pages_are_tried_less_and_less(host: Host) -> None:
    host.huge_ns = DEAR
    pages = host.pages(20)
    assert huge_steps(pages) <= 3
    host.provide(pages, 180)
    assert huge_steps(pages) <= 7


def test_huge_pages_are_used_again_when_they_are_cheap_again(host: Host) -> None:
    host.huge_ns = DEAR
    pages = host.pages(30)
    host.huge_ns = CHEAP
    host.provide(pages, 40)
    before = huge_steps(pages)
    host.provide(pages, 20)
    assert huge_steps(pages) == before + 20


def test_small_pages_that_became_expensive_lead_back_to_huge_ones(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.huge_ns = DEAR
    pages = host.pages(2)
    monkeypatch.setattr(f"{__name__}.SMALL", 2 * DEAR // 512)
    host.provide(pages, 1)
    before = huge_steps(pages)
    host.provide(pages, 10)
    assert huge_steps(pages) == before + 10


def test_a_host_without_huge_pages_is_said_to_give_small_ones(host: Host) -> None:
    host.has_huge = False
    summary = host.pages(100).summary()
    assert (summary["huge_pages"], summary["small_pages"]) == (0, 100 * STEP)


def test_the_last_step_may_be_a_part(host: Host) -> None:
    pages = HostPages(host, STEP // 2)  # type: ignore[arg-type]
    assert pages.end == STEP // 2
    host.provide(pages, 256)
    assert sum(pages.summary()[kind] for kind in ("huge_pages", "small_pages")) == SIZE
    assert max(host.touched) < SIZE


def test_memory_that_is_provided_is_zero() -> None:
    ram = Ram(8 * STEP)
    while ram.host_pages.end < ram.size:
        ram.host_pages.extend()
    assert not any(ram.words)

"""Does every frame have the right number of holders?"""

import numpy as np
import pytest

from emu.machine.pte import PAGE_SIZE, V, make_pte
from emu.machine.ram import Ram
from kernel.base.errors import OutOfMemory
from kernel.check.invariants import leaks
from kernel.mm.physical.frames import Frames, Kind


def frames(pages: int = 8) -> Frames:
    return Frames(Ram(pages * PAGE_SIZE))


def ptes(*ppns: int) -> np.ndarray:
    return np.array([make_pte(ppn, V) for ppn in ppns], dtype=np.uint64)


def test_a_new_frame_has_one_holder_and_is_of_its_kind() -> None:
    f = frames()
    ppn = f.allocate(Kind.PRIVATE)
    assert (f.count(ppn), f.kind(ppn), f.used) == (1, Kind.PRIVATE, 2)


def test_a_frame_is_free_when_its_last_holder_goes_and_not_before() -> None:
    f = frames()
    ppn = f.allocate(Kind.PRIVATE)
    f.share(ppn)
    f.release(ppn)
    assert f.count(ppn) == 1 and f.kind(ppn) is Kind.PRIVATE
    f.release(ppn)
    assert f.count(ppn) == 0 and f.kind(ppn) is Kind.FREE
    assert leaks(f) == []


def test_a_used_frame_comes_back_as_zeroes_when_zeroes_are_asked_for() -> None:
    f = frames(2)
    ppn = f.allocate_zeroed(Kind.PRIVATE)
    f.ram.write(ppn << 12, b"secret")
    f.release(ppn)
    assert f.allocate_zeroed(Kind.TABLE) == ppn
    assert not any(f.ram.read_frame(ppn))


def test_all_frames_can_be_had_and_then_none() -> None:
    f = frames(8)
    taken = [f.allocate(Kind.PRIVATE) for _ in range(7)]
    assert len({*taken, f.zero}) == 8
    with pytest.raises(OutOfMemory):
        f.allocate(Kind.PRIVATE)
    f.release(taken[3])
    assert f.allocate(Kind.CACHE) == taken[3]


def test_running_out_asks_for_something_to_be_freed_as_long_as_that_helps() -> None:
    f = frames(4)
    cached = [f.allocate(Kind.CACHE) for _ in range(3)]

    def reclaim() -> bool:
        if cached:
            f.release(cached.pop())
            return True
        return False

    f.reclaim = reclaim
    for _ in range(3):
        f.allocate(Kind.PRIVATE)
    with pytest.raises(OutOfMemory):
        f.allocate(Kind.PRIVATE)


def test_what_was_freed_and_is_gone_again_is_asked_for_again() -> None:
    f = frames(3)
    cached, requests = [f.allocate(Kind.CACHE) for _ in range(2)], []

    def reclaim() -> bool:
        requests.append(1)
        if len(requests) == 2:
            f.release(cached[1])
        return len(requests) < 3

    f.reclaim = reclaim
    assert f.allocate(Kind.PRIVATE) == cached[1] and len(requests) == 2
    with pytest.raises(OutOfMemory):
        f.allocate(Kind.PRIVATE)


def test_releasing_a_free_frame_is_loud() -> None:
    f = frames()
    ppn = f.allocate(Kind.PRIVATE)
    f.release(ppn)
    with pytest.raises(RuntimeError, match="more often than shared"):
        f.release(ppn)
    assert f.count(ppn) == 0
    with pytest.raises(RuntimeError, match="more often than shared"):
        f.release_all(ptes(ppn))


def test_many_ptes_are_shared_and_released_at_once() -> None:
    f = frames()
    private, table, page = (f.allocate(kind) for kind in (Kind.PRIVATE, Kind.TABLE, Kind.CACHE))
    array = ptes(private, page, table, page, page)
    f.share_all(array)
    assert [f.count(frame) for frame in (private, table, page)] == [2, 2, 4], "page has three PTEs"
    f.release_all(array)
    assert [f.count(frame) for frame in (private, table, page)] == [1, 1, 1]
    f.share_all(ptes(page))
    f.release_all(ptes(page, private, page, table))
    assert [f.count(frame) for frame in (private, table, page)] == [0, 0, 0]
    assert sorted(f.free_frames()) == [private, table, page], "each is free once"
    assert leaks(f) == []


def test_frames_given_back_together_are_handed_out_from_the_lowest() -> None:
    f = frames()
    taken = [f.allocate(Kind.PRIVATE) for _ in range(4)]
    f.release_all(ptes(*reversed(taken)))
    assert [f.allocate(Kind.PRIVATE) for _ in range(4)] == taken
    f.release_many(taken[::-1])
    assert [f.allocate(Kind.PRIVATE) for _ in range(4)] == taken


def test_many_frames_lose_a_holder_each() -> None:
    f = frames()
    taken = [f.allocate(Kind.CACHE) for _ in range(4)]
    f.share(taken[1])
    f.release_many(dict(enumerate(taken)).values())
    assert [f.count(ppn) for ppn in taken] == [0, 1, 0, 0] and f.used == 2
    assert sorted(f.free_frames()) == [taken[0], *taken[2:]]
    f.release(taken[1])
    assert leaks(f) == []


@pytest.mark.parametrize("kind", [Kind.PRIVATE, Kind.CACHE])
def test_a_release_too_many_is_reported(kind: Kind) -> None:
    f = frames()
    frame = f.allocate(kind)
    f.release(frame)
    with pytest.raises(RuntimeError):
        f.release_all(ptes(frame))
    with pytest.raises(RuntimeError):
        f.release_many([frame])


@pytest.mark.parametrize("sharers", [255, 256, 65_535, 65_536, 100_000])
def test_a_frame_can_have_very_many_holders(sharers: int) -> None:
    f = frames()
    ppn = f.allocate(Kind.CACHE)
    array = ptes(*[ppn] * (sharers - 1))
    f.share_all(array)
    assert f.count(ppn) == sharers
    f.release_all(array)
    assert f.count(ppn) == 1


def test_the_peak_is_the_most_that_were_ever_in_use() -> None:
    f = frames()
    taken = [f.allocate(Kind.PRIVATE) for _ in range(5)]
    for ppn in taken:
        f.release(ppn)
    f.allocate(Kind.PRIVATE)
    assert (f.peak, f.used) == (6, 2)


def test_a_fresh_machine_hands_frames_out_in_order() -> None:
    f = frames()
    first = f.allocate(Kind.PRIVATE)
    assert [f.allocate(Kind.PRIVATE) for _ in range(3)] == [first + 1, first + 2, first + 3]


def returned(f: Frames, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Runs of frames that are returned to the host, collected in order."""
    runs: list[tuple[int, int]] = []
    give = f.ram.discard

    def discard(ppn: int, count: int) -> None:
        runs.append((ppn, count))
        give(ppn, count)

    monkeypatch.setattr(f.ram, "discard", discard)
    monkeypatch.setattr("kernel.mm.physical.frames._MANY_FREE", 64)
    return runs


def test_the_host_gets_its_memory_back_each_time_that_many_frames_are_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    f = Frames(Ram(300 * PAGE_SIZE))
    runs = returned(f, monkeypatch)
    for _ in range(3):
        taken = sorted(f.allocate(Kind.PRIVATE) for _ in range(100))
        for ppn in taken:
            f.ram.write(ppn << 12, b"used")
        remaining, released = taken[40], [*taken[:40], *taken[41:]]
        f.release_all(ptes(*released))
        assert runs == [(taken[0], 40), (taken[41], 59)], "but for the one in the middle"
        assert f.ram.read(remaining << 12, 4) == b"used"
        assert not any(f.ram.read_frame(taken[39]) + f.ram.read_frame(taken[99]))
        f.release(remaining)
        runs.clear()


def test_few_free_frames_and_short_runs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    f = Frames(Ram(300 * PAGE_SIZE))
    runs = returned(f, monkeypatch)
    taken = [f.allocate(Kind.PRIVATE) for _ in range(200)]
    f.release_each(taken[:60])
    assert runs == [], "60 are not many"
    f.release_each(taken[100::2])
    assert runs == [(taken[0], 60)], "single frames are not worth a call"


def test_code_in_a_frame_that_the_host_gets_back_is_stale() -> None:
    ram = Ram(64 * PAGE_SIZE)
    ram.executed.add(ram.first_ppn + 9)
    ram.discard(ram.first_ppn, 9)
    assert not ram.code_is_stale
    ram.discard(ram.first_ppn + 9, 1)
    assert ram.code_is_stale

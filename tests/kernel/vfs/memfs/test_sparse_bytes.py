"""Do the pages of a file in memory contain exactly what was written?"""

import random

import pytest

from kernel.base.errors import Errno
from kernel.vfs.memfs.sparse_bytes import PAGE, HostPages, SparseBytes


class Room:
    """A budget of pages."""

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0

    def charge(self, count: int) -> None:
        if self.used + count > self.most:
            raise Errno(28)
        self.used += count


def test_do_random_changes_give_what_a_bytearray_gives() -> None:
    rng, room = random.Random(7), Room(1000)
    blocks, plain = SparseBytes(HostPages(), room.charge), bytearray()
    for _ in range(2000):
        offset, count = rng.randrange(20 * PAGE), rng.choice([1, 100, PAGE, 3 * PAGE])
        step = rng.randrange(5)
        if step < 2:
            data = rng.randbytes(count)
            plain.extend(bytes(max(0, offset + count - len(plain))))
            plain[offset : offset + count] = data
            assert blocks.write(offset, data) == count
        elif step == 2:
            blocks.truncate(offset)
            plain = plain[:offset].ljust(offset, b"\0")
        elif step == 3:
            end = min(offset + count, len(plain))
            if offset < end:
                blocks.punch(offset, end)
                plain[offset:end] = bytes(end - offset)
        else:
            assert blocks.read(offset, count) == plain[offset : offset + count]
        assert blocks.size == len(plain)
        assert room.used * PAGE == blocks.allocated
    assert blocks.read(0, len(plain)) == plain
    blocks.release()
    assert room.used == 0


def test_is_the_part_that_fits_written_when_space_runs_out() -> None:
    store, room = HostPages(), Room(3)
    blocks = SparseBytes(store, room.charge)
    assert blocks.write(100, bytes(5 * PAGE)) == 3 * PAGE - 100
    assert blocks.size == 3 * PAGE
    with pytest.raises(Errno, match="ENOSPC"):
        blocks.write(3 * PAGE, b"x")
    assert blocks.write(0, b"over") == 4, "existing pages can be overwritten"
    assert store.free == store.total - 3


@pytest.mark.parametrize("backwards", [False, True])
def test_are_data_and_holes_found_in_files_of_many_holes(backwards: bool) -> None:
    blocks = SparseBytes(HostPages(), Room(10_000).charge)
    numbers = range(0, 5000, 5)
    for number in reversed(numbers) if backwards else numbers:
        blocks.write(number * PAGE, b"x")
    blocks.truncate(6000 * PAGE)
    at, found = 0, []
    while (at := blocks.seek(at, hole=False)) < blocks.size:
        found.append(at // PAGE)
        at = blocks.seek(at, hole=True)
    assert found == list(numbers)

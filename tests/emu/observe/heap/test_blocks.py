"""Is a block found by each of its addresses, and is a copy of the table independent?"""

from __future__ import annotations

import random

from emu.observe.heap.blocks import Block, Blocks


def test_is_every_byte_found_and_no_other() -> None:
    chance = random.Random(5)
    for _ in range(50):
        blocks, plain = Blocks(), dict[int, Block]()
        at = 0x10000
        for number in range(200):
            size = chance.choice([0, 1, 24, 100, 5000, 70_000])
            block = Block(at, size, (number,))
            blocks.add(block)
            plain[at] = block
            at += size + chance.choice([16, 32, 9000])
        for start in chance.sample(sorted(plain), 90):
            blocks.remove(start)
            del plain[start]
        blocks.remove(5)
        for block in plain.values():
            inside = [block.start, block.start + block.size - 1] if block.size else []
            assert all(blocks.find(byte) == block for byte in inside)
        for _ in range(300):
            byte = chance.randrange(0x8000, at + 10000)
            expected = [b for b in plain.values() if b.start <= byte < b.start + b.size]
            assert blocks.find(byte) == (expected[0] if expected else None)


def test_do_a_copy_and_its_original_go_their_own_ways() -> None:
    original = Blocks()
    for start in range(0, 1 << 16, 256):
        original.add(Block(start, 100, (1,)))
    original.add(Block(1 << 20, 1 << 17, (2,)))
    copy = original.copy()
    copy.remove(512)
    original.remove(768)
    copy.remove(1 << 20)
    copy.add(Block(1024, 50, (3,)))
    third = copy.copy()
    copy.add(Block(1024, 50, (4,)))
    assert copy.find(512) is None and original.find(512) is not None
    assert original.find(768) is None and copy.find(768) is not None
    assert copy.find(1 << 20) is None and original.find(1 << 20) is not None
    found = [each.find(1030) for each in (original, copy, third)]
    assert [block.calls for block in found if block is not None] == [(1,), (4,), (3,)]

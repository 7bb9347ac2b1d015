"""Runs of 512 frames: where are they found, and what becomes of them?"""

from __future__ import annotations

from emu.machine.pte import HUGE_FRAMES
from kernel.mm.physical.frames import Kind
from tests.kernel.worlds import World


def test_a_run_may_be_in_part_freed_and_in_part_never_used() -> None:
    world = World(2 * HUGE_FRAMES)
    frames = world.frames
    held = [frames.allocate(Kind.PRIVATE) for _ in range(HUGE_FRAMES + 9)]
    for frame in held[HUGE_FRAMES - 1 :]:
        frames.release(frame)
    run = frames.allocate_run(Kind.PRIVATE)
    assert run == frames.first + HUGE_FRAMES
    assert {frames.count(frame) for frame in range(run, run + HUGE_FRAMES)} == {1}
    frames.release_run(run)
    frames.release_many(held[: HUGE_FRAMES - 1])
    world.end()

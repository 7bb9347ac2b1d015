"""The huge zero page: a run of zeroes that all reads of untouched huge pages share.

It takes 2 MiB only once it is needed, and is given back when frames are short, as in Linux.
"""

from __future__ import annotations

from kernel.mm.physical.frames import Frames, Kind


def share_huge_zero(frames: Frames) -> int:
    """Adds a reference of the run, allocated if there is none. Raises OutOfMemory."""
    if frames.huge_zero is None:
        frames.huge_zero = frames.allocate_zeroed_run(Kind.ZERO)
        frames.huge_events.zeroes += 1
    frames.share_run(frames.huge_zero)
    return frames.huge_zero


def drop_huge_zero(frames: Frames) -> bool:
    """Frees the run if no page table maps it; returns whether it did."""
    run = frames.huge_zero
    if run is None or not frames.is_run_unshared(run):
        return False
    frames.huge_zero = None
    frames.release_run(run)
    return True

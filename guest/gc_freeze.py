"""Forks a child next to a long list, to show which pages a garbage collection copies.

With the argument `collect` the child collects garbage; with `freeze` the parent calls gc.freeze()
before the fork; with `view` the child prints, before and after, how much of its memory it shares
with its parent, as Linux counts it in /proc/self/smaps_rollup. Runs on Python 3.7 or later.
"""

import gc
import os
import sys


def shared() -> int:
    """KiB that were stored to and that another process has too."""
    with open("/proc/self/smaps_rollup", "rb") as file:  # noqa: PTH123 - no import of pathlib
        return int(file.read().split(b"Shared_Dirty:")[1].split()[0])


gc.disable()
objects = [{"number": number} for number in range(20_000)]
if "freeze" in sys.argv:
    gc.freeze()
if os.fork() == 0:
    before = shared() if "view" in sys.argv else 0
    if "collect" in sys.argv:
        gc.collect()
    if "view" in sys.argv:
        after = shared()
        print(f"shared {before:,} KiB, then {after:,} KiB: {before - after:,} KiB less", flush=True)
    os._exit(0)
os.wait()

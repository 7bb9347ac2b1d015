"""Forks a child next to a long list, to show which pages a garbage collection copies.

With the argument `collect` the child collects garbage; with `freeze` the parent calls gc.freeze()
before the fork. Runs on Python 3.7 or later.
"""

import gc
import os
import sys

gc.disable()
objects = [{"number": number} for number in range(20_000)]
if "freeze" in sys.argv:
    gc.freeze()
if os.fork() == 0:
    if "collect" in sys.argv:
        gc.collect()
    os._exit(0)
os.wait()

"""What a forked child copies beside a long list: when it collects garbage, and when not.

The words `collect` and `freeze` say what is done. Runs on any Python 3.7 or later.
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

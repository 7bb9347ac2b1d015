"""``python -m tests.hostile CALLS [SEED]``: wild system calls until CALLS have been made."""

from __future__ import annotations

import sys
import time

from tests.hostile.wild import run

_PER_RUN = 20_000


def main() -> int:
    total = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    done = 0
    while done < total:
        report = run(seed, _PER_RUN)
        if report.wrong:
            print(f"seed {seed}: " + "; ".join(report.wrong))
            return 1
        done += _PER_RUN
        seed += 1
        print(f"{done:,} calls, all well", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

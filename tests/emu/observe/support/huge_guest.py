"""A guest with huge pages, whose numbers follow from its source; and runs of it."""

from __future__ import annotations

from typing import Any

from emu.machine.pte import HUGE_SIZE
from emu.observe.model.sink import RecordingOptions
from tests.emu.observe.support.recorded import Recorded, record
from tests.kernel.syscalls.guests import compiled

AT = 0x4000_0000
FIRST, SECOND, ZEROES, COLLAPSED = (AT + number * HUGE_SIZE for number in range(4))
"""Its four huge pages."""
PAGE = 4096
SOURCE = r"""
#include <sys/mman.h>
#include <sys/wait.h>
#define HUGE (2UL << 20)
#define PAGE 4096
int main(void)
{
    char *at = mmap((void *)0x40000000, 4 * HUGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    char *small = at + 3 * HUGE;
    madvise(at, 4 * HUGE, MADV_HUGEPAGE);
    at[5 * PAGE] = 1;
    at[HUGE] = 1;
    (void)*(volatile char *)(at + 2 * HUGE + 9);
    if (!fork()) {
        at[7 * PAGE] = 2;
        at[7 * PAGE + 1] = 3;
        at[9 * PAGE] = 4;
        at[2 * HUGE + PAGE] = 5;
        _exit(0);
    }
    wait(NULL);
    at[6 * PAGE] = 3;
    munmap(at + 100 * PAGE, PAGE);
    mprotect(at + HUGE, PAGE, PROT_READ);
    madvise(small, HUGE, MADV_NOHUGEPAGE);
    small[0] = 1;
    small[PAGE] = 2;
    madvise(small, HUGE, MADV_HUGEPAGE);
    if (madvise(small, HUGE, 25)) /* MADV_COLLAPSE */
        return 1;
    small[2 * PAGE] = 3;
    return 0;
}
"""


def huge_run(recording: RecordingOptions | None = None, **options: Any) -> Recorded:
    """A recorded run of it, with the default ``--thp madvise``."""
    run = record([compiled(SOURCE)], recording=recording, deterministic=True, **options)
    assert run.status == 0, run.output
    return run

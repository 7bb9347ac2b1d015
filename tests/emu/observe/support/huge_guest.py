"""A guest with huge pages, whose numbers follow from its source; and runs of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emu.machine.pte import HUGE_SIZE
from emu.observe.model.sink import RecordingOptions
from kernel.process.observer import Observer
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


MOVES = r"""
#include <sys/mman.h>
#define HUGE (2UL << 20)
int main(void)
{
    char *at = mmap((void *)0x40000000, 3 * HUGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    char *to = (char *)0x50000000;
    madvise(at, 3 * HUGE, MADV_HUGEPAGE);
    at[0] = at[HUGE] = at[2 * HUGE] = 1;
    mremap(at, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    mremap(at + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + HUGE + 4096);
    mlock(at + 2 * HUGE + 4096, 4096);
    to[5] = to[HUGE + 4096 + 5] = 2;
    return to[0] + to[HUGE + 4096] - 2;
}
"""
"""A huge page moves whole, one to an address between two, and one is locked in part."""


def huge_run(
    recording: RecordingOptions | None = None, observers: Sequence[Observer] = (), **options: Any
) -> Recorded:
    """A recorded run of it, with the default ``--thp madvise``."""
    run = record(
        [compiled(SOURCE)], recording=recording, observers=observers, deterministic=True, **options
    )
    assert run.status == 0, run.output
    return run

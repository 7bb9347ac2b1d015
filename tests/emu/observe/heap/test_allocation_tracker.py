"""Is a copied heap block attributed to the call that allocated it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.observe.analysis.cow_collector import profile
from emu.observe.model import records
from emu.observe.model.sink import RecordingOptions
from tests.emu.commands import emu, program
from tests.emu.observe.support.recorded import record
from toolchain.variant import Variant

SOURCE = r"""
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define ALONE __attribute__((noipa, optimize("no-optimize-sibling-calls")))
ALONE static char *by_malloc(size_t n) { return malloc(n); }
ALONE static char *by_calloc(size_t n) { return calloc(n / 8, 8); }
ALONE static char *by_realloc(char *p, size_t n) { return realloc(p, n); }
ALONE static char *by_memalign(size_t n) { return memalign(64, n); }
ALONE static char *by_aligned(size_t n) { return aligned_alloc(64, n); }
ALONE static char *by_posix(size_t n) { void *p = 0; posix_memalign(&p, 64, n); return p; }
enum { SIZE = 3 * 4096, MANY = 5 };
static void store(char *block) { block[SIZE / 2] = 1; }  /* in a page that is the block's alone */
int main(void) {
    char *blocks[MANY][6];
    for (int i = 0; i < MANY; i++) {
        blocks[i][0] = by_malloc(SIZE);
        blocks[i][1] = by_calloc(SIZE);
        blocks[i][2] = by_realloc(malloc(10), SIZE);
        blocks[i][3] = by_memalign(SIZE);
        blocks[i][4] = by_aligned(SIZE);
        blocks[i][5] = by_posix(SIZE);
        for (int j = 0; j < 6; j++) memset(blocks[i][j], 7, SIZE);
    }
    char *gone = by_malloc(SIZE), *large = by_malloc(1 << 20);
    memset(gone, 7, SIZE);
    memset(large, 7, 1 << 20);
    free(gone);
    if (!fork()) {
        for (int i = 0; i < MANY; i++) for (int j = 0; j < 6; j++) store(blocks[i][j]);
        store(large);
        ((volatile char *)gone)[SIZE / 2] = 1;
        char *later = by_calloc(SIZE);
        memset(later, 8, SIZE);
        if (!fork()) { store(later); _exit(0); }
        wait(0);
        _exit(0);
    }
    wait(0);
    return 0;
}
"""
COPIES = {
    "by_malloc": 5 + 1,
    "by_calloc": 5 + 1,
    "by_realloc": 5,
    "by_memalign": 5,
    "by_aligned": 5,
    "by_posix": 5,
}


def guest(variant: Variant) -> Path:
    return program("heap_sites", SOURCE, variant)


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
def test_is_each_call_of_the_c_library_known(variant: Variant, deterministic: bool) -> None:
    run = record(
        [guest(variant)], recording=RecordingOptions(heap=True), deterministic=deterministic
    )
    assert run.status == 0
    faults = [each for each in run.records if isinstance(each, records.Fault)]
    stores = [f for f in faults if f.outcome == "copied" and f.place.function in ("store", "main")]
    counted = dict.fromkeys(COPIES, 0)
    for fault in stores:
        if fault.heap:
            counted[fault.heap[0].function] += 1
    assert counted == COPIES
    sites = {site.name: site.copies for site in profile(run.records).heap}
    assert COPIES.items() <= sites.items()
    assert all(fault.outcome == "copied" for fault in faults if fault.heap)


def test_does_watching_change_nothing_of_the_run() -> None:
    runs = [
        record([guest(Variant.STATIC)], recording=RecordingOptions(heap=heap))
        for heap in (False, True)
    ]
    first, second = (run.summary | {"system_calls": 0} for run in runs)
    assert first == second


def test_is_the_command_asked_for_it() -> None:
    words = ("--deterministic", "--json", guest(Variant.DYNAMIC))
    without, first, second = (emu("cow", *more, *words) for more in ([], ["--heap"], ["--heap"]))
    assert first == second and "by_calloc" in first.stdout
    assert '"heap":[]' in without.stdout


ONE_JUMP = r"""
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
enum { SIZE = 3 * 4096 };
__asm__(".globl aligned_alloc\n.type aligned_alloc, @function\n"
        "aligned_alloc: j allocate\n.size aligned_alloc, . - aligned_alloc\n");
__attribute__((used, noipa)) void *allocate(size_t align, size_t n) {
    char *block = malloc(align + n);
    return block + align - (size_t)block % align;
}
__attribute__((noipa)) static char *caller(void) {
    char *block = aligned_alloc(64, SIZE);
    memset(block, 7, SIZE);
    return block;
}
int main(void) {
    char *block = caller();
    if (!fork()) { block[SIZE / 2] = 1; _exit(0); }
    wait(0);
    return 0;
}
"""


def test_is_a_function_known_that_is_one_jump_to_another() -> None:
    """In newer C libraries aligned_alloc only jumps to memalign: entry and exit are one address."""
    run = record(
        [program("heap_one_jump", ONE_JUMP, Variant.STATIC)], recording=RecordingOptions(heap=True)
    )
    assert run.status == 0
    faults = [each for each in run.records if isinstance(each, records.Fault)]
    (copied,) = [f for f in faults if f.outcome == "copied" and f.heap]
    assert copied.heap[0].function == "caller"

"""What does /proc say of transparent huge pages?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.kernel.syscalls.guests import output

FIGURES = r"""
#include <sys/mman.h>
#define HUGE (2UL << 20)
static long field(const char *file, const char *name) {
    static char text[1 << 16];
    int fd = open(file, O_RDONLY), length = 0, got;
    while ((got = read(fd, text + length, sizeof text - 1 - length)) > 0)
        length += got;
    close(fd);
    text[length] = 0;
    char key[64];
    snprintf(key, sizeof key, "\n%s", name);
    char *at = strstr(text, key);
    return at ? strtol(at + strlen(key) + strspn(at + strlen(key), ": "), NULL, 10) : -1;
}
static void look(const char *what) {
    printf("%s: alloc %ld fallback %ld zero %ld collapse %ld split %ld mapped %ld, %ld kB\n", what,
           field("/proc/vmstat", "thp_fault_alloc"), field("/proc/vmstat", "thp_fault_fallback"),
           field("/proc/vmstat", "thp_zero_page_alloc"),
           field("/proc/vmstat", "thp_collapse_alloc"), field("/proc/vmstat", "thp_split_pmd"),
           field("/proc/vmstat", "nr_anon_transparent_hugepages"),
           field("/proc/meminfo", "AnonHugePages"));
    fflush(stdout);
}
int main(void) {
    char *at = mmap((void *)0x40000000, 5 * HUGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    look("start");
    madvise(at, 4 * HUGE, MADV_HUGEPAGE);
    at[0] = at[HUGE] = 1;
    look("two stores");
    (void)*(volatile char *)(at + 2 * HUGE);
    look("a load");
    if (!fork()) {
        at[5] = 1;
        look("child");
        _exit(0);
    }
    wait(NULL);
    look("after the child");
    at[2 * HUGE] = 1;
    munmap(at + HUGE, 4096);
    look("zeroes replaced, one split");
    at[4 * HUGE] = 1;
    madvise(at + 4 * HUGE, HUGE, 25);
    look("collapsed");
    munmap(at, 5 * HUGE);
    look("unmapped");
    return 0;
}
"""


def figures(**options: Any) -> list[str]:
    return [line.split(": ", 1)[1] for line in output(FIGURES, **options)]


def row(
    alloc: int, zero: int, split: int, mapped: int, *, fallback: int = 0, collapse: int = 0
) -> str:
    return (
        f"alloc {alloc} fallback {fallback} zero {zero} collapse {collapse} split {split} "
        f"mapped {mapped}, {2048 * mapped} kB"
    )


def test_is_each_event_counted_once() -> None:
    assert figures() == [
        row(0, 0, 0, 0),
        row(2, 0, 0, 2),
        row(2, 1, 0, 2),
        row(2, 1, 1, 2),  # still whole in the parent
        row(2, 1, 1, 2),
        row(3, 1, 2, 2),
        row(3, 1, 2, 3, collapse=1),
        row(3, 1, 2, 0, collapse=1),
    ]


def test_is_a_whole_copy_an_allocation() -> None:
    found = figures(thp_cow="huge")
    assert found[3] == row(3, 1, 0, 3) and found[4] == row(3, 1, 0, 2)


SHORT = (
    FIGURES.partition("int main")[0]
    + r"""
int main(void) {
    char *at = mmap((void *)0x40000000, 3 * HUGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    madvise(at, 3 * HUGE, MADV_HUGEPAGE);
    at[0] = at[HUGE] = at[2 * HUGE] = 1;
    look("three stores");
    return 0;
}
"""
)


def test_is_a_store_without_a_run_a_fallback() -> None:
    """Of three runs in memory the first has the kernel's and the program's own pages."""
    (line,) = output(SHORT, memory=6 << 20)
    assert line.split(": ", 1)[1] == row(2, 0, 0, 2, fallback=1)


ELIGIBLE = r"""
#include <sys/mman.h>
#include <sys/prctl.h>
#define HUGE (2UL << 20)
static void show(char *address) {
    FILE *smaps = fopen("/proc/self/smaps", "r");
    char line[300];
    unsigned long start, end;
    int inside = 0, eligible;
    while (fgets(line, sizeof line, smaps)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strcspn(line, "-") < strcspn(line, ":"))
            inside = start <= (unsigned long)address && (unsigned long)address < end;
        if (inside && sscanf(line, "THPeligible: %d", &eligible) == 1)
            putchar('0' + eligible);
    }
    fclose(smaps);
}
int main(void) {
    char *around = mmap(0, 8 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *at = (char *)(((unsigned long)around + HUGE - 1) & -HUGE);
    char *shared = mmap(0, 2 * HUGE, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *file = mmap(0, 4096, 1, MAP_PRIVATE, open("/proc/self/exe", O_RDONLY), 0);
    show(at);
    mprotect(at, HUGE, 3);
    show(at);
    madvise(at, HUGE, MADV_HUGEPAGE);
    show(at);
    mprotect(at, HUGE, 0);
    show(at);
    mprotect(at, HUGE, 3);
    madvise(at + 2 * HUGE, HUGE - 4096, MADV_HUGEPAGE);
    show(at + 2 * HUGE);
    madvise(at + 4 * HUGE + 4096, 2 * HUGE, MADV_HUGEPAGE);
    show(at + 4 * HUGE + 4096);
    madvise(shared, 2 * HUGE, MADV_HUGEPAGE);
    show(shared);
    show(file);
    show((char *)&file);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    show(at);
    putchar('\n');
    return 0;
}
"""


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("madvise", "0011010000"), ("always", "1111010000"), ("never", "0000000000")],
)
def test_which_mappings_are_eligible(mode: str, expected: str) -> None:
    """The first row is what Linux 6.18 prints under the same setting."""
    assert output(ELIGIBLE, thp=mode) == [expected]


def test_is_it_shown_that_a_process_has_them_disabled() -> None:
    source = r"""
#include <sys/prctl.h>
static void show(void) {
    char line[200];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "THP_enabled:", 12)) fputs(line, stdout);
    fclose(status);
    fflush(stdout);
}
int main(void) {
    show();
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    show();
    if (!fork()) { show(); _exit(0); }
    wait(NULL);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    show();
    return 0;
}
"""
    assert output(source) == [f"THP_enabled:\t{enabled}" for enabled in (1, 0, 0, 1)]

"""Known differences of emu from Linux, with reasons.

A pattern matches lines of Linux, as in fnmatch(3). A difference that not every Linux has names the
architecture, or the first release without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class System:
    """A Linux, by what uname(2) says: its release, such as 6.12.1-name, and its machine."""

    release: str
    machine: str

    @property
    def version(self) -> tuple[int, int]:
        major, minor = self.release.split(".")[:2]
        return int(major), int(minor)


@dataclass(frozen=True)
class Difference:
    program: str
    patterns: tuple[str, ...]
    reason: str
    machine: str | None = None
    until: tuple[int, int] | None = None

    def is_on(self, system: System) -> bool:
        if self.machine not in (None, system.machine):
            return False
        return self.until is None or system.version < self.until


_ACCESSED_BY_MPROTECT = (
    "mprotect(2) on riscv64 sets the A bit of each PTE that it changes: PAGE_READ and its like "
    "contain _PAGE_ACCESSED, and pte_modify() adds them to the old bits; here, as on other "
    "architectures, it keeps the A bit, which says that the program used the page"
)

_REFERENCED_BY_FLAG = (
    "smaps also counts a page as referenced when the page's own flag says so: write(2) to a file "
    "and calls that take a page by its address (mlock(2), MADV_POPULATE_WRITE) set it, and the "
    "lists of reclaim clear it; here the A bits of PTEs alone say so"
)

DIFFERENCES = (
    Difference(
        "reclaim_advice",
        ("parent: read-only: Rss *",),
        _ACCESSED_BY_MPROTECT,
        machine="riscv64",
    ),
    Difference(
        "reclaim_advice",
        ("child: locked by its parent: Rss *",),
        _REFERENCED_BY_FLAG,
    ),
    Difference(
        "reclaim_advice",
        ("child: populated: Rss *",),
        _REFERENCED_BY_FLAG,
        machine="x86_64",
    ),
    Difference(
        "around",
        (
            "*child: at the start: Rss 192 *",
            "child: load page 21: Rss 192 *",
            "child: store to page 22: Rss 192 *",
        ),
        _REFERENCED_BY_FLAG,
    ),
    Difference(
        "huge",
        (
            "parent: store to it: Rss 2052 *",
            "parent: store to more of it: 19 faults",
            "parent: store to more of it: Rss 2128 *",
            "parent: last one: Rss 4176 *",
            "parent: store after it: 2 faults",
            "parent: store after it: Rss 8 *",
            "child: store to zeroes: Rss 2052 *",
            "grandchild: as inherited: Rss 2052 *",
            "grandchild: store to 4: Rss 2052 *",
            "grandchild: store to zeroes of its own: Rss 2056 *",
            "child: store after the grandchild: Rss 2052 *",
        ),
        "a store to the huge zero page maps a huge page since Linux 6.13; before, it split the "
        "zero page, and mapped one page of 4 KiB",
        until=(6, 13),
    ),
    Difference(
        "huge",
        (
            "parent: COLLAPSE of zeroes: Invalid argument",
            "parent: only zero pages: Rss *",
            "parent: pages and zero pages: Rss *",
            "child: COLLAPSE of shared pages: Invalid argument",
            "child: shared pages: Rss *",
            "child: store to these: *",
            "parent: after the child: Rss 6176 *",
        ),
        "MADV_COLLAPSE also collapses pages of which none is writable, such as those of zeroes and "
        "those shared by fork; older kernels refuse it",
        until=(6, 18),
    ),
    Difference(
        "huge_changes",
        ("parent: load of it: 511 faults", "second child: store to all: *"),
        "a page table that MADV_DONTNEED empties is freed since Linux 6.14, so that the next fault "
        "maps a huge page; before, it stayed until munmap(2)",
        until=(6, 14),
    ),
    Difference(
        "huge_changes",
        ("child: rights again: Rss *", "child: store: Rss 4096 *"),
        _ACCESSED_BY_MPROTECT,
        machine="riscv64",
    ),
    Difference(
        "proc_pages",
        ("parent: read-only after that: Rss *", "parent: writable again: Rss *"),
        _ACCESSED_BY_MPROTECT,
        machine="riscv64",
    ),
    Difference(
        "rights",
        (
            "child: rights of copies and shared pages: Rss *",
            "child: rights of 12 copies: Rss *",
            "child: rights after the grandchild: Rss *",
        ),
        _ACCESSED_BY_MPROTECT,
        machine="riscv64",
    ),
    Difference(
        "moved_frames",
        ("parent: after the child: 1001 of 1024 moved",),
        "a store to a page of a huge page that was split reuses the frame since Linux 6.15, if no "
        "other process maps a part of the huge page; before, it copied as long as more than three "
        "of its pages were mapped",
        until=(6, 15),
    ),
    Difference(
        "merges",
        (
            "child: rights restored after the fork: 3",
            "parent: touched pages moved into it: 3",
        ),
        "mappings whose private pages were allocated at other addresses, or before a fork in "
        "several mappings, stay apart, since the reverse map (anon_vma, and vm_pgoff for it) "
        "describes one origin for each; here there is no reverse map, and such mappings become one",
    ),
    Difference(
        "remapped",
        (
            "two of them, moved: *",
            "from: abcd-fg",
            "with the hole: *",
            "from within the first to within the last: *",
            "mremap(memory, 7 * PAGE, 7 * PAGE, KEEP | MREMAP_FIXED, place): *",
            "as before: abcd-f-",
        ),
        "with MREMAP_FIXED and without a change of size mremap(2) moves several mappings since "
        "Linux 6.17; before, it refused (EFAULT)",
        until=(6, 17),
    ),
    Difference(
        "remapped",
        ("mremap(memory, PAGE, 1UL << 60, MOVE): *",),
        "a new length beyond the address space is an invalid argument since Linux 6.17; before, no "
        "place was found for it",
        until=(6, 17),
    ),
)


def known(program: str, system: System) -> list[str]:
    """Patterns of the lines of a program on `system` from which emu must differ."""
    entries = [entry for entry in DIFFERENCES if entry.program == program and entry.is_on(system)]
    return [pattern for entry in entries for pattern in entry.patterns]


def matches(line: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(line, pattern) for pattern in patterns)

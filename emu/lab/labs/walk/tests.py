"""The graded tests of the lab ``walk``."""

from __future__ import annotations

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.submission import Test
from emu.lab.labs.walk import cases
from emu.lab.labs.walk.walk_tests import RandomTables, Translations

TESTS: list[Test] = [
    Translations("three-levels", "is the page found through three tables?", cases.three_levels),
    Translations("satp", "is the root table that of satp, whatever the ASID?", cases.satp_fields),
    Translations("bare-mode", "is an address its own translation in bare mode?", cases.bare),
    Translations("canonical", "must bits 63-39 of the address equal bit 38?", cases.canonical),
    Translations("invalid", "does a PTE without V fault, at each level?", cases.invalid),
    Translations(
        "reserved-encodings",
        "do W without R, and bits 63-54, fault in a leaf and in a pointer?",
        cases.reserved,
    ),
    Translations(
        "pointers",
        "does a pointer with A, D or U fault, and one at level 0, and none for G or RSW?",
        cases.pointers,
    ),
    Translations("superpages", "are pages of 2 MiB and of 1 GiB translated?", cases.superpages),
    Translations(
        "misaligned-superpage",
        "does a superpage fault whose PPN its size does not divide?",
        cases.misaligned,
    ),
    Translations("rights", "do R, W and X allow loads, stores and fetches?", cases.rights),
    Translations(
        "user-and-supervisor",
        "does U keep U-mode out of the kernel's pages, and SUM let S-mode load and store?",
        cases.user_and_supervisor,
    ),
    Translations(
        "mxr", "may a load read an executable page with MXR?", cases.executable_made_readable
    ),
    Translations(
        "accessed-and-dirty",
        "is A set in memory by each access, and D by a store?",
        cases.accessed_and_dirty,
    ),
    Translations(
        "only-when-allowed", "do A and D stay clear when it faults?", cases.only_when_allowed
    ),
    Translations(
        "exact-pte-writes",
        "is a PTE left alone that needs no change?",
        cases.needless_stores,
        needless_stores=True,
    ),
    Translations(
        "outside-memory",
        "is it an access fault when a table, or the page, is outside memory?",
        cases.outside_memory,
        points=8,
    ),
    Translations(
        "all-flags",
        "does each combination of flags, at each level, for each access in each mode, come right?",
        cases.all_flags,
        points=10,
        needless_stores=True,
    ),
    RandomTables(
        "random-tables", "do random tables, at random addresses, come right?", cases.random_case
    ),
    GuestProgram("isolation", "does a program run whose every address you translate?", "isolation"),
    GuestProgram("fork-tree", "does a tree of processes?", "fork_tree"),
]

"""The graded tests of the lab ``walk``."""

from __future__ import annotations

from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.graded.submission import Test
from emu.lab.labs.walk import cases
from emu.lab.labs.walk.walk_tests import RandomTables, Translations

TESTS: list[Test] = [
    Translations("three-levels", "is a page found through three tables?", cases.three_levels),
    Translations("satp", "is the root table that of satp, whatever the ASID?", cases.satp_fields),
    Translations("bare-mode", "is the address unchanged in bare mode?", cases.bare),
    Translations("canonical", "must bits 63-39 of the address equal bit 38?", cases.canonical),
    Translations("invalid", "does a PTE without V fault, at each level?", cases.invalid),
    Translations(
        "reserved-encodings",
        "do W without R, and bits 63-54, fault in a leaf and in a pointer?",
        cases.reserved,
    ),
    Translations(
        "pointers",
        "do pointers with A, D or U, and at level 0, fault, but not those with G or RSW?",
        cases.pointers,
    ),
    Translations("superpages", "are pages of 2 MiB and of 1 GiB translated?", cases.superpages),
    Translations(
        "misaligned-superpage",
        "does a superpage fault if its PPN is not aligned to its size?",
        cases.misaligned,
    ),
    Translations("rights", "do R, W and X allow loads, stores and fetches?", cases.rights),
    Translations(
        "user-and-supervisor",
        "can U-mode access only pages with U, and S-mode load and store there only with SUM?",
        cases.user_and_supervisor,
    ),
    Translations(
        "mxr", "can a load read an executable page with MXR?", cases.executable_made_readable
    ),
    Translations(
        "accessed-and-dirty",
        "is A set in memory by each access, and D by a store?",
        cases.accessed_and_dirty,
    ),
    Translations(
        "only-when-allowed",
        "do A and D stay clear when the access faults?",
        cases.only_when_allowed,
    ),
    Translations(
        "exact-pte-writes",
        "is a PTE that needs no change not written?",
        cases.needless_stores,
        needless_stores=True,
    ),
    Translations(
        "outside-memory",
        "is the result an access fault when a table or the page is outside memory?",
        cases.outside_memory,
        points=8,
    ),
    Translations(
        "all-flags",
        "is each combination of flags, level, access and mode translated correctly?",
        cases.all_flags,
        points=10,
        needless_stores=True,
    ),
    RandomTables(
        "random-tables",
        "are random addresses translated correctly with random tables?",
        cases.random_case,
    ),
    GuestProgram("isolation", "does a program run on your translations?", "isolation"),
    GuestProgram("fork-tree", "does a tree of processes run on them?", "fork_tree"),
]

"""Do the texts that students read show PTEs as `emu` prints them?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emu.machine.pte import V
from kernel.mm.page_tables.page_table import COW
from kernel.mm.page_tables.pte_text import pte_flags

ROOT = Path(__file__).parents[4]
LABS = ROOT / "emu" / "lab" / "labs"
TEXTS = [
    ROOT / "README.md",
    *(
        path
        for folder in (LABS, ROOT / "docs", ROOT / "guest")
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".py", ".md", ".c")
    ),
]

FLAGS = re.compile(r"(?<![\w-])[R-][W-][X-][U-][RWXUGADVC-]{2,}(?: CoW)?(?![\w-])")
"""Text that looks like the flags of a PTE: the first four letters, and some more."""
PRINTED = {pte_flags(flags | V | cow) for flags in range(1 << 8) for cow in (0, COW)}
WITH_V = re.compile(r"[R-][W-][X-][U-][G-][A-][D-]V")
"""The form of a drawing of the walk, which also shows entries without V."""


def wrong_flags(text: str) -> list[str]:
    found = [match[0] for match in FLAGS.finditer(text)]
    return [
        flags
        for flags in found
        if flags.strip("-") and flags not in PRINTED and not WITH_V.fullmatch(flags)
    ]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_flags_of_a_pte_are_written_as_emu_prints_them(path: Path) -> None:
    assert wrong_flags(path.read_text()) == []


@pytest.mark.parametrize("flags", ["RW-U-A-D", "R--U-A-D CoW", "R--U-A--", "R--U-AC", "RWXU-A"])
def test_flags_with_another_number_or_order_of_letters_are_found(flags: str) -> None:
    assert wrong_flags(f"0x11000  {flags}  -> frame") == [flags]


def test_the_flags_of_a_drawing_of_the_walk_are_right() -> None:
    assert wrong_flags("0x200800df RWXU-ADV") == []


@pytest.mark.parametrize(
    "path", sorted(LABS.rglob("HANDOUT.md")), ids=lambda path: path.parent.name
)
def test_a_handout_explains_no_letter_that_is_not_printed(path: Path) -> None:
    assert not re.search(r"`C` is", path.read_text())

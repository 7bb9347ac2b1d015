"""Does the text of a PTE show its frame, its flags and the mark of copy-on-write?"""

import pytest

from emu.machine.pte import A, D, R, U, V, W, X, make_pte
from kernel.mm.page_tables.page_table import COW
from kernel.mm.page_tables.pte_text import pte_flags, pte_text


@pytest.mark.parametrize(
    "pte, flags, text",
    [
        (0, "", "none"),
        (None, "", "none"),
        (make_pte(0x80231, R | U | A | COW), "", "invalid 0x2008c552"),
        (make_pte(0x80231, V | R | U | A | COW), "R--U-A- CoW", "0x80231 R--U-A- CoW"),
        (make_pte(0x80231, V | R | W | U | A | D), "RW-U-AD", "0x80231 RW-U-AD"),
        (make_pte(0x80231, V | R | A), "R----A-", "0x80231 R----A-"),
        (make_pte(0x80231, V | X | A), "--X--A-", "0x80231 --X--A-"),
        (make_pte(0x80231, V), "-------", "table 0x80231"),
    ],
)
def test_is_a_pte_shown_with_frame_and_flags(pte: int | None, flags: str, text: str) -> None:
    assert pte_text(pte) == text
    assert pte_flags(pte or 0) == flags

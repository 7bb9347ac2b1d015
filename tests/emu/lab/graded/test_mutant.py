"""Is a mutant that no longer fits its source an error, in a lab and in the kernel?"""

from __future__ import annotations

import pytest

from emu.lab.graded.mutant import Mutant, replace_once
from emu.lab.workspace.catalogue import LABS
from tests.wrong.variant import Edit


def test_a_text_that_occurs_once_is_replaced() -> None:
    assert replace_once("a = 1\nb = 1\n", "b = 1", "b = 2", "name") == "a = 1\nb = 2\n"


@pytest.mark.parametrize("old, count", [("no such text", 0), ("frames.allocate", 2)])
def test_a_mutant_whose_text_does_not_occur_once_is_an_error(old: str, count: int) -> None:
    mutant = Mutant("gone", "does not fit", old, "", ("isolation",))
    with pytest.raises(LookupError, match=f"gone: text occurs {count} times"):
        mutant.apply(LABS["cow-fork"].solution)


def test_an_edit_of_the_kernel_whose_text_does_not_occur_once_is_an_error() -> None:
    edit = Edit("kernel.mm.forking.fork:cow", "no such text", "")
    with pytest.raises(LookupError, match=r"kernel\.mm\.forking\.fork:cow: text occurs 0 times"):
        edit.apply("def cow():\n    pass\n")

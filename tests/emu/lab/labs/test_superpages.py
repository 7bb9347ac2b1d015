"""Does the lab ``superpages`` distinguish right from wrong?"""

from __future__ import annotations

import random

import pytest

from emu.lab.components.page_table import LabTable
from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.host.student import LabFile
from emu.lab.labs.superpages.tests import random_operation
from emu.lab.simulation.machine import SimulatedMachine
from emu.lab.simulation.operations import Fork, Map, Store
from emu.lab.workspace.catalogue import find
from emu.machine.pte import PAGE_SIZE
from kernel.mm.forking.fork import cow
from tests.emu.lab.submissions import submission

LAB = find("superpages")
AREA = 0x1000_0000


@pytest.mark.parametrize("seed", range(4))
def test_do_processes_see_the_same_bytes_with_superpages_and_without(seed: int) -> None:
    files = submission(LAB, LAB.solution).files
    with_superpages, without = SimulatedMachine(2048, cow, files), SimulatedMachine(2048, cow)
    source = random.Random(seed)
    try:
        for _ in range(40):
            operation = random_operation(source)
            with_superpages.do(operation)
            without.do(operation)
            assert with_superpages.spaces.keys() == without.spaces.keys()
            for pid in without.spaces:
                found = with_superpages.content(pid)
                for va, page in without.content(pid).items():
                    assert found.get(va, bytes(PAGE_SIZE)) == page
    finally:
        with_superpages.close()


def test_is_a_touched_area_one_superpage_until_a_part_of_it_is_copied() -> None:
    world = SimulatedMachine(2048, cow, submission(LAB, LAB.solution).files)
    try:
        for operation in (Map(1, AREA, 512, 3), Store(1, AREA, 1), Fork(1), Store(2, AREA, 2)):
            world.do(operation)
        tables = {pid: space.table for pid, space in world.spaces.items()}
        sizes = {pid: isinstance(t, LabTable) and t.is_huge(AREA) for pid, t in tables.items()}
        assert sizes == {1: True, 2: False}
    finally:
        world.close()


@pytest.mark.parametrize("others", [["cow-fork"], ["shared-tables"], ["eager-fork", "demand"]])
def test_does_a_program_run_with_superpages_and_other_labs(others: list[str]) -> None:
    labs = [LAB, *map(find, others)]
    files = [LabFile(lab.name, lab.file, lab.solution) for lab in labs]
    test = GuestProgram("large-pages", "", "large_pages", memory=64 << 20)
    assert test.run(LAB.submission(files)) is None

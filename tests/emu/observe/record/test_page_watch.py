"""Are the same records emitted for a page when all page tables are read at once as one by one?"""

from __future__ import annotations

import pytest

from emu.observe.model.records import AnyRecord, Fault, Page
from emu.observe.model.sink import RecordingOptions
from emu.observe.record import address_space_pids
from kernel.mm.forking.fork import POLICIES
from tests.emu.commands import program
from tests.emu.observe.support.ledger import of_kind
from tests.emu.observe.support.recorded import record

CROWD = r"""
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
volatile char page[4096] __attribute__((aligned(4096))) = {1};
int main(void)
{
    for (int i = 0; i < 12; i++) {
        if (fork()) {
            if (i % 3 == 1)
                munmap((void *)page, 4096);
            while (wait(0) > 0)
                ;
            _exit(0);
        }
        if (i % 3 != 2)
            page[0]++;
        if (i == 7 && !vfork())
            _exit(0);
        if (i == 9) {
            madvise((void *)page, 4096, MADV_DONTNEED);
            page[1] = 1;
        }
    }
    return 0;
}
"""


def records_of(policy: str, page: int) -> list[AnyRecord]:
    recording = RecordingOptions(pages={page})
    return record(
        [program("page_watch", CROWD)], recording=recording, deterministic=True, fork_policy=policy
    ).records


def address() -> int:
    from emu.observe.symbols.elf_file import ElfFile

    found = ElfFile(program("page_watch", CROWD).read_bytes()).find("page")
    assert found is not None
    return found.address


@pytest.mark.parametrize("policy", POLICIES)
def test_are_the_same_records_emitted_for_many_spaces_as_for_few(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_space_pids, "_MANY", 1 << 30)
    one_by_one = records_of(policy, address())
    monkeypatch.setattr(address_space_pids, "_MANY", 3)
    assert records_of(policy, address()) == one_by_one
    assert len(of_kind(one_by_one, Page)) > 12
    if policy != "eager":
        assert any(fault.sharers for fault in of_kind(one_by_one, Fault))

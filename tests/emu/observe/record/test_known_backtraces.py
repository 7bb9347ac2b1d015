"""Are the records the same when the machine refers to backtraces that the writer has found?"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from emu.observe.model import records
from emu.observe.model.raw_events import Fault, RawEvent
from emu.observe.model.records import AnyRecord, End
from emu.observe.model.sink import RecordingOptions
from emu.observe.record.record_builder import RecordBuilder
from emu.observe.record.recorder import Recorder
from emu.observe.record.writer_process import TraceWriterProcess
from emu.observe.unwind.known_backtraces import BacktraceLog, KnownBacktraces, shared_memory
from emu.options import Options
from emu.session import Session
from kernel.mm.address_space import AddressSpace
from tests.emu.commands import program
from tests.emu.observe.support.recorded import record

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

DEEP = r"""
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static char *pages;
__attribute__((noipa)) static void touch(int page) { pages[page * 4096L]++; }
__attribute__((noipa)) static void deep(int page)
{
    volatile char frame[12000];  /* rows with it fill all parts of the writer's memory */
    frame[page % 12000] = 1;
    touch(page);
}
__attribute__((noipa)) static void other(int page) { deep(page); }
int main(void)
{
    pages = mmap(NULL, 2500 * 4096L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int page = 0; page < 2500; page++)
        page % 3 ? deep(page) : other(page);
    if (fork() == 0) {
        for (int page = 0; page < 400; page++)
            page % 3 ? deep(page) : other(page);
        mprotect(pages, 4096, PROT_READ);
        _exit(0);
    }
    wait(NULL);
    for (int page = 0; page < 400; page++)
        deep(page);
    return 0;
}
"""


class Counting(KnownBacktraces):
    """Counts the faults and events whose backtrace was known."""

    found = 0

    def find(self, space: AddressSpace, layout: int, pc: int, registers: Sequence[int]) -> int:
        number = super().find(space, layout, pc, registers)
        self.found += number != 0
        return number


def through_a_writer(path: Path, file: Path) -> int:
    """Records a run to ``file``; returns how many backtraces were known."""
    memory = shared_memory()

    def serve(events: Iterator[RawEvent | Fault]) -> int:
        trace: list[AnyRecord] = []
        builder = RecordBuilder(trace.append, 16, log=BacktraceLog(memory))
        for event in events:
            if isinstance(event, Fault):
                builder.fault(event)
            else:
                builder.receive(event)
        file.write_bytes(pickle.dumps(trace))
        return 0

    known = Counting(memory)
    writer = TraceWriterProcess(serve, [], known)
    session = Session(Options(check=True, timeout=100, deterministic=True), [str(path)])
    recorder = Recorder(session.kernel, [str(path)], writer, RecordingOptions())
    recorder.begin()
    session.run([recorder])
    recorder.finish(session.summary)
    assert writer.close() == 0
    return known.found


def test_are_all_records_the_same(tmp_path: Path) -> None:
    path = program("deep", DEEP)
    known = through_a_writer(path, tmp_path / "records")
    found = pickle.loads((tmp_path / "records").read_bytes())
    expected = record([path], deterministic=True).records
    assert known > 1000, "the program has more faults than the writer's memory has rows"
    assert [each for each in found if not isinstance(each, End)] == [
        each for each in expected if not isinstance(each, End)
    ]
    callers = {len(fault.backtrace) for fault in found if isinstance(fault, records.Fault)}
    assert len(callers) > 2

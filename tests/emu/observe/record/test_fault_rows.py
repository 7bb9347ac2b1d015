"""Does a row keep all of a fault, and its place among the other events?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from emu.machine.sv39 import Rule
from emu.observe.model import fault_row as row
from emu.observe.model.fault_row import RowReader
from emu.observe.model.raw_events import (
    CodeLocation,
    EventReceiver,
    Fault,
    FaultDetails,
    RangeDefined,
    RawEvent,
    RecordEvent,
)
from emu.observe.model.records import Exit, Range
from emu.observe.record.writer_process import TraceWriterProcess
from kernel.mm.outcome import Outcome

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

ACCESS_NUMBER, CAUSE = 2, 15


def write(words: memoryview, at: int, seq: int, flags: int = 0, rest: tuple[int, ...] = ()) -> int:
    """Writes a row with the words ``rest`` after its fixed part; returns its end."""
    words[at : at + row.FIXED] = memoryview(bytearray(8 * row.FIXED)).cast("Q")
    words[at + row.SEQ] = seq
    words[at + row.FLAGS] = flags | ACCESS_NUMBER | CAUSE << row.CAUSE_SHIFT
    end = at + row.FIXED + len(rest)
    for index, word in enumerate(rest):
        words[at + row.FIXED + index] = word
    words[at + row.LENGTH] = end - at
    return end


def memory(size: int = 1 << 12) -> tuple[memoryview, memoryview]:
    """Memory as words and as bytes."""
    view = memoryview(bytearray(8 * size))
    return view.cast("Q"), view


@pytest.mark.parametrize("outcome", Outcome)
def test_the_outcome_is_read_as_it_was_written(outcome: Outcome) -> None:
    words, data = memory()
    write(words, 0, 5, outcome.number << row.OUTCOME_SHIFT)
    assert RowReader().read(data, 0).outcome == str(outcome)


@pytest.mark.parametrize("rule", Rule)
def test_the_broken_rule_is_read_in_the_words_of_the_mmu(rule: Rule) -> None:
    words, data = memory()
    write(words, 0, 5, rule.number << row.RULE_SHIFT)
    assert RowReader().read(data, 0).rule == rule.text


def test_lists_and_the_stack_follow_each_other() -> None:
    words, data = memory()
    registers, sharers, around = tuple(range(32)), (3, 0x1000, 4, 0x2000), (0x5000, 77)
    stack = (1 << 63, 9, 8)
    flags = row.HAS_REGISTERS | row.HAS_STACK | 2 << row.SHARERS_SHIFT
    write(words, 7, 1, flags, (*registers, *sharers, *around, *stack))
    words[7 + row.AROUND], words[7 + row.STACK] = 1, len(stack)
    fault = RowReader().read(data, 7)
    assert fault.sharers == [(3, 0x1000), (4, 0x2000)]
    assert fault.around == [(0x5000, 77)]
    assert list(memoryview(fault.where.registers).cast("Q")) == list(registers)
    assert isinstance(fault.where.stack, bytes)
    assert tuple(memoryview(fault.where.stack).cast("Q")) == stack


def test_details_belong_to_the_next_row_only() -> None:
    words, data = memory()
    end = write(words, 0, 1, row.HAS_DETAILS)
    write(words, end, 2)
    reader, where = RowReader(), CodeLocation(1, 2, [3], "a.out")
    reader.note(FaultDetails(where, "read", None))
    first, second = reader.read(data, 0), reader.read(data, end)
    assert (first.where, first.call) == (where, "read")
    assert (second.where.pc, second.call) == (0, "")


def test_a_range_may_get_another_meaning_for_later_rows() -> None:
    words, data = memory()
    end = write(words, 0, 1, row.IN_VMA)
    write(words, end, 2, row.IN_VMA)
    reader, found = RowReader(), []
    for name, at in (("one", 0), ("other", end)):
        reader.note(RangeDefined(0, Range(0, 0x1000, "rw-p", name)))
        vma = reader.read(data, at).vma
        found.append(vma.name if vma is not None else None)
    assert found == ["one", "other"]


def exits(receiver: EventReceiver, number: int) -> None:
    receiver.receive(RecordEvent(Exit(seq=number, time=0, pid=1, status=0)))


@pytest.mark.parametrize("largest", [0, 40, 900])
def test_the_writer_gets_rows_and_events_in_order(tmp_path: Path, largest: int) -> None:
    path, chance = tmp_path / "numbers", Random(largest)

    def serve(events: Iterator[RawEvent | Fault]) -> int:
        with path.open("w") as file:
            for event in events:
                if isinstance(event, Fault):
                    file.write(f"{event.seq} {len(event.around or ())}\n")
                elif isinstance(event, RecordEvent):
                    file.write(f"{event.record.seq} -\n")
        return 0

    receiver, expected = TraceWriterProcess(serve, []), []
    for number in range(8000):
        if chance.random() < 0.3:
            exits(receiver, number)
            expected.append(f"{number} -")
            continue
        pages = chance.randint(0, largest) // 2
        at = receiver.rows.start()
        end = write(receiver.rows.words, at, number, 0, tuple(range(2 * pages)))
        receiver.rows.words[at + row.AROUND] = pages
        receiver.rows.finish(end)
        expected.append(f"{number} {pages}")
    assert receiver.close() == 0
    assert path.read_text().splitlines() == expected

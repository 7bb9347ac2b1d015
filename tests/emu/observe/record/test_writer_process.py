"""Does the writer process get all events in order? Does the machine continue when it ends?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from emu.cli.main import main
from emu.observe.formats.jsonl import read_trace
from emu.observe.model import records
from emu.observe.model.raw_events import CodeLocation, Fault, Layout, Mapped, RawEvent, RecordEvent
from emu.observe.model.records import Exit
from emu.observe.record import writer_process
from emu.observe.record.writer_process import TraceWriterProcess
from tests.emu.commands import EMU, emu, environment, program, ran

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
"""Tests on several processors run in a process with a thread, whose locks a child of these tests
does not need. A command forks before it has any thread, which is tested below.
"""

Serve = Callable[[Iterator[RawEvent | Fault]], int]


def event(number: int, where: CodeLocation | None = None) -> RecordEvent:
    return RecordEvent(Exit(seq=number, time=0, pid=1, status=0), where)


def where(stack: object) -> CodeLocation:
    return CodeLocation(1, 2, None, "", bytes(256), stack)  # type: ignore[arg-type]


def writes(path: Path) -> Serve:
    """Writes the number of each event and its stack."""

    def serve(events: Iterator[RawEvent | Fault]) -> int:
        with path.open("w") as file:
            for event_ in events:
                if isinstance(event_, RecordEvent):
                    stack = event_.where.stack if event_.where else b""
                    assert isinstance(stack, bytes)
                    file.write(f"{event_.record.seq} {stack.hex()}\n")
        return 0

    return serve


@pytest.mark.parametrize("largest", [0, 500, 40_000])
def test_events_come_in_order_with_the_stacks_they_had(tmp_path: Path, largest: int) -> None:
    chance, path = Random(largest), tmp_path / "events"
    receiver = TraceWriterProcess(writes(path), [])
    expected = []
    memory = bytearray(1 << 16)
    for number in range(1500 if largest > 1000 else 6000):
        memory[: largest or 1] = chance.randbytes(largest or 1)
        size = chance.randint(0, largest)
        cut = chance.randint(0, size)
        view = memoryview(memory)
        stack = receiver.store_stack([view[:cut], view[cut:size]]) if size else b""
        expected.append(f"{number} {memory[:size].hex()}")
        receiver.receive(event(number, where(stack)))
        memory[:] = bytes(len(memory))  # the program runs on
    assert receiver.close() == 0
    assert path.read_text().splitlines() == expected


def test_a_stack_is_still_there_when_its_event_follows_others(tmp_path: Path) -> None:
    path = tmp_path / "events"
    receiver = TraceWriterProcess(writes(path), [])
    for number in range(50):
        stack = receiver.store_stack([memoryview(bytes([number]) * 5000)])
        for _ in range(40):
            receiver.receive(Layout(1, []))
            receiver.receive(Layout(2, [Mapped(0, 1, 2, 3, "x" * 4000)]))
        receiver.receive(event(number, where(stack)))
    assert receiver.close() == 0
    assert path.read_text().splitlines() == [f"{n} {bytes([n]).hex() * 5000}" for n in range(50)]


def dies(how: Callable[[], object]) -> Serve:
    def serve(events: Iterator[RawEvent | Fault]) -> int:
        next(events)
        how()
        return 0

    return serve


@pytest.mark.parametrize(
    "how, status",
    [
        (lambda: os._exit(3), 3),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), 128 + signal.SIGKILL),
        (lambda: 1 / 0, 1),
        (lambda: None, 0),
    ],
    ids=["exit", "killed", "exception", "done"],
)
def test_a_writer_that_ends_early_does_not_stop_the_machine(
    how: Callable[[], object], status: int
) -> None:
    receiver = TraceWriterProcess(dies(how), [])
    for number in range(60_000):
        receiver.receive(event(number, where(receiver.store_stack([memoryview(bytes(2000))]))))
    assert receiver.close() == status


class Interrupts(BaseException):
    pass


def interrupted(*_: object) -> None:
    raise Interrupts


@pytest.mark.parametrize("at", ["encoding", "sending"])
def test_an_interrupted_run_leaves_a_truncated_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    path = tmp_path / "events"
    receiver = TraceWriterProcess(writes(path), [])
    for number in range(3000):
        receiver.receive(event(number))
    if at == "encoding":
        monkeypatch.setattr(receiver, "_encode", interrupted)
    else:
        monkeypatch.setattr(receiver, "_send", interrupted)
        monkeypatch.setattr(writer_process, "_BATCH_BYTES", 0)
    with pytest.raises(Interrupts):
        receiver.receive(event(3000))
    monkeypatch.undo()
    for number in range(3001, 9000):  # events of the end of the machine
        receiver.receive(event(number))
    assert receiver.close() == 0
    numbers = [int(line) for line in path.read_text().split()]
    assert numbers == list(range(len(numbers))) and len(numbers) <= 3001


def test_a_writer_that_is_not_waited_for_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(events: Iterator[RawEvent | Fault]) -> int:
        time.sleep(100)
        return 0

    receiver = TraceWriterProcess(serve, [])
    monkeypatch.setattr(receiver, "_await_end", interrupted)
    with pytest.raises(Interrupts):
        receiver.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(receiver._pid, os.WNOHANG)


def test_a_slow_writer_is_waited_for_so_memory_stays_bounded(tmp_path: Path) -> None:
    def serve(events: Iterator[RawEvent | Fault]) -> int:
        time.sleep(0.3)
        reads.touch()
        return 0 if sum(1 for _ in events) == 20_000 else 1

    reads = tmp_path / "reads"
    receiver = TraceWriterProcess(serve, [])
    for number in range(20_000):
        receiver.receive(event(number, where(receiver.store_stack([memoryview(bytes(3000))]))))
    assert reads.exists(), "60 MB were read by no process"
    assert receiver.close() == 0


def test_the_writer_ignores_the_signals_for_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "alive"

    def serve(events: Iterator[RawEvent | Fault]) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            os.kill(os.getpid(), number)
        path.write_text("alive")
        return 0

    assert TraceWriterProcess(serve, []).close() == 0
    assert path.read_text() == "alive"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_writer_closes_all_other_descriptors(tmp_path: Path) -> None:
    read, write = os.pipe()
    granted = os.open(tmp_path / "granted", os.O_WRONLY | os.O_CREAT)

    def serve(events: Iterator[RawEvent | Fault]) -> int:
        os.write(granted, b"granted")
        for _ in events:
            pass
        return 0

    receiver = TraceWriterProcess(serve, [granted])
    os.close(write)
    assert os.read(read, 1) == b"", "the other end is still open"
    assert receiver.close() == 0
    assert (tmp_path / "granted").read_bytes() == b"granted"
    os.close(read)
    os.close(granted)


STORES = """
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    for (;;) {
        char *pages = mmap(0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int at = 0; at < 1 << 20; at += 4096)
            pages[at] = 1;
        munmap(pages, 1 << 20);
        if (argc > 1)
            return 7;
    }
}
"""


def test_no_command_forks_when_it_has_threads(tmp_path: Path) -> None:
    trace, page = tmp_path / "trace.jsonl", tmp_path / "page.html"
    words = ["-W", "always::DeprecationWarning", "-m", "emu", "run", "--trace-out", str(trace)]
    guest = str(program("stores", STORES))
    done = ran(
        [sys.executable, *words, "--report", str(page), guest, "x"], environment=environment()
    )
    assert (done.status, done.stderr) == (7, "") and trace.exists() and page.exists()


def test_where_fork_fails_this_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest, words = str(program("stores", STORES)), ["trace", "--deterministic", "-o"]
    assert emu(*words, tmp_path / "process.jsonl", guest, "x").status == 7

    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    assert main([*words, str(tmp_path / "here.jsonl"), guest, "x"]) == 7
    assert (tmp_path / "here.jsonl").read_bytes() == (tmp_path / "process.jsonl").read_bytes()


def test_the_trace_of_a_machine_that_was_killed_is_written(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    command = [*EMU, "trace", "-o", str(path), str(program("stores", STORES))]
    machine = subprocess.Popen(command, env=environment())
    wait_for(lambda: path.exists() and path.stat().st_size > 1 << 20)
    machine.kill()
    machine.wait()
    sizes: list[int] = []

    def grows_no_more() -> bool:
        sizes.append(path.stat().st_size)
        return sizes[-3:] == sizes[-1:] * 3

    wait_for(grows_no_more)
    with path.open("rb") as file:
        found = list(read_trace(file))
    assert path.read_bytes().endswith(b"}\n"), "the last line is whole"
    assert isinstance(found[0], records.Start) and not isinstance(found[-1], records.End)
    assert [each.seq for each in found] == list(range(len(found)))


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 240
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)

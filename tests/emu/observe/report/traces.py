"""Traces for the tests: of real guests, and synthetic ones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from emu.machine.pte import A, D, R, U, V, W, make_pte
from emu.observe.formats.jsonl import JsonLines
from emu.observe.model import records
from emu.observe.model.records import AnyRecord, Range, SourceLocation
from emu.observe.record.record_builder import RecordBuilder
from emu.observe.record.recorder import Recorder
from emu.observe.report.builder import Builder
from emu.observe.report.host_files import HostFiles
from emu.options import Options
from emu.session import Session
from guest.manifest import GUESTS
from kernel.mm.page_tables.page_table import COW
from toolchain.build import build

HEAP = 0x100000
CODE = Range(0x10000, 0x20000, "r-xp", "/made/up")


def guest(name: str) -> Path:
    """A guest of the manifest, built."""
    found = next(each for each in GUESTS if each.name == name)
    return build([found.source], flags=found.flags)


def recorded(program: Path, *arguments: str, **options: object) -> list[AnyRecord]:
    """All records of a run."""
    trace: list[AnyRecord] = []
    session = Session(
        Options(deterministic=True, **options),  # type: ignore[arg-type]
        [str(program), *arguments],
    )
    session.console.capture(1)
    session.console.capture(2)
    builder = RecordBuilder(trace.append, depth=16)
    recorder = Recorder(session.kernel, session.command, builder)
    recorder.begin()
    session.run([recorder])
    recorder.finish(session.summary)
    return trace


@cache
def demo() -> tuple[AnyRecord, ...]:
    return tuple(recorded(guest("demo_cow")))


def built(trace: Iterable[AnyRecord], files: HostFiles | None = None) -> Builder:
    builder = Builder(files or HostFiles([]))
    for record in trace:
        builder(record)
    return builder


def write(trace: Iterable[AnyRecord], file: Path) -> Path:
    sink = JsonLines(file.open("wb"))
    for record in trace:
        sink(record)
    sink.close()
    return file


class SyntheticRun:
    """A synthetic trace; each method appends the record of an event."""

    def __init__(self, command: list[str] | None = None, policy: str = "cow") -> None:
        self.trace: list[AnyRecord] = []
        self._frame = 0x80100
        self.append(
            records.Start,
            schema=records.SCHEMA,
            emu="test",
            command=command or ["/made/up"],
            fork_policy=policy,
            memory=1 << 30,
        )

    def append(self, kind: type[records.Record], **fields: object) -> None:
        number = len(self.trace)
        self.trace.append(kind(seq=number, time=number * 1000, **fields))  # type: ignore[arg-type]

    def new_frame(self) -> int:
        self._frame += 1
        return self._frame

    def exec(self, pid: int, pages: int, path: str = "/made/up") -> None:
        maps = [CODE, Range(HEAP, HEAP + pages * 4096, "rw-p", "[heap]")]
        self.append(
            records.Exec,
            pid=pid,
            path=path,
            entry=CODE.start,
            root=0x80000 + pid,
            maps=maps,
        )

    def fork(self, pid: int, child: int, pages: int, **more: object) -> None:
        root = 0x80000 + child
        self.append(
            records.Fork, pid=pid, tid=pid, child=child, root=root, pages_shared=pages, **more
        )

    def exit(self, pid: int) -> None:
        self.append(records.Exit, pid=pid, status=0)

    def sample(self, pid: int, pages: int) -> None:
        self.append(
            records.Sample, pid=pid, resident=pages, proportional=pages / 2, unique=0, tables=4
        )

    def unmap(self, pid: int, start: int, end: int) -> None:
        self.append(records.Unmap, pid=pid, start=start, end=end)

    def fault(
        self,
        pid: int,
        page: int,
        outcome: str,
        before: int = 0,
        place: SourceLocation | None = None,
    ) -> int:
        """Appends a fault on page number ``page`` of the heap; returns the page's new frame."""
        frame = before if outcome == "reused" else self.new_frame()
        address = HEAP + page * 4096 + 8 * (page % 512)
        pte = make_pte(before, V | R | U | A | D | COW) if before else 0
        entries = [
            records.Entry(2, (0x80000 + pid << 12), make_pte(0x81000 + pid, V), "-------"),
            records.Entry(1, (0x81000 + pid << 12), make_pte(0x82000 + pid, V), "-------"),
            records.Entry(0, (0x82000 + pid << 12) + 8 * (address >> 12 & 511), pte, ""),
        ]
        callers = [
            SourceLocation(CODE.start + 8 * depth, f"caller{depth}") for depth in range(page % 9)
        ]
        self.append(
            records.Fault,
            pid=pid,
            tid=pid,
            place=place
            or SourceLocation(CODE.start + 4 * (page % 97), f"f{page % 97}", 4, "made.c", 7),
            access="store",
            cause=15,
            stval=address,
            outcome=outcome,
            instruction="sd a5, 0(a0)",
            vma=Range(HEAP, HEAP + (1 << 28), "rw-p", "[heap]"),
            walk=entries,
            pte_before=pte,
            pte_after=make_pte(frame, V | R | W | U | A | D),
            frame_before=before,
            frame_after=frame,
            count_before=2 if outcome == "copied" else int(bool(before)),
            count_after=1,
            sharers=[records.Sharer(2, address & -4096)] if outcome == "copied" else [],
            backtrace=callers,
            host_ns=9000 + page % 5000,
        )
        return frame

    def copy_end(self, fault: int, pid: int, changed: int) -> None:
        self.append(
            records.CopyEnd,
            fault=fault,
            pid=pid,
            address=HEAP,
            bytes_changed=changed,
            why="discarded",
        )

    def end(self) -> list[AnyRecord]:
        self.append(records.End, summary={"frames_peak": 7})
        return self.trace


def large(faults: int = 100_000, children: int = 48) -> list[AnyRecord]:
    """A parent with a large heap, and children that each store to a part of it."""
    run = SyntheticRun()
    share = faults // (children + 1)
    run.exec(2, share)
    frames = [run.fault(2, page, "zero_filled") for page in range(share)]
    for child in range(3, 3 + children):
        run.fork(2, child, share)
        for page in range(share):
            run.fault(child, page, "copied", frames[page])
            if page % 64 == 0:
                run.copy_end(len(run.trace) - 1, child, page % 512)
            if page % 500 == 0:
                run.sample(child, share)
        run.exit(child)
    for page in range(faults - share * (children + 1)):
        run.fault(2, page, "reused", frames[page])
    return run.end()

"""``emu why``: the story of one page."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from emu.api import Session
from emu.cli.support.guest_options import add_guest_options
from emu.cli.support.guest_run import CommandFailed, open_lines
from emu.cli.support.message_stream import Lines
from emu.cli.support.recording import record
from emu.cli.support.trace_input import (
    Report,
    add_report_options,
    open_guest,
    takes_trace,
    tell_trace,
)
from emu.errors import CannotRun
from emu.machine.pte import PAGE_MASK
from emu.observe.analysis.page_history import PageHistory
from emu.observe.model import records
from emu.observe.model.regular_file import open_regular
from emu.observe.symbols.page_target import NoTarget, Target

if TYPE_CHECKING:
    from emu.observe.model.records import AnyRecord

_LARGEST_FILE = 1 << 31


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "why",
        allow_abbrev=False,
        help="run a program and tell the story of one page",
        description="Runs a program, or reads a trace (.jsonl) of one, and tells the story of one "
        "page: who mapped it, where it was first touched, which forks shared it, which store broke "
        "that, whether it was copied or taken over; with the page-table entry and the count of the "
        "frame's holders before and after each step. The story goes to stderr after the run, or to "
        "FILE. A trace tells PTE and count at page faults only.",
        epilog="The exit status is the guest's (for a trace 0, or 2 when it was cut off). "
        "Options may also follow PROG; -- ends them.",
    )
    parser.usage = "emu why [OPTIONS] PROG [ARGS...] --at ADDRESS|SYMBOL | TRACE.jsonl --at …"
    parser.add_argument(
        "--at",
        type=_target,
        required=True,
        metavar="ADDRESS|SYMBOL",
        help="an address in the page, such as 0x7b000, or a variable or function of PROG: "
        "counter, counter+0x10",
    )
    parser.add_argument(
        "--pid", type=_pid, metavar="N", help="only of this process and what it inherited"
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="of every process, not only of the first 50 (--json has all in any case)",
    )
    add_report_options(parser, "the story")
    add_guest_options(parser)
    parser.set_defaults(function=run, guest=1, trailing=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; its status, or that of a shell that could not run it."""
    from emu.observe.analysis.page_history_text import (
        MOST_PROCESSES,
        page_history_json,
        page_history_text,
    )

    try:
        lines = open_lines(None)
        with Report(arguments, lines) as report:
            witness = _Witness(arguments.at)
            status = _witness(arguments, lines, witness)
            told = witness.story, witness.title, arguments.pid
            most = None if arguments.all else MOST_PROCESSES
            report.write(
                page_history_json(*told) if arguments.json else page_history_text(*told, most)
            )
    except CommandFailed as failure:
        return failure.status
    except CannotRun as error:
        lines.message(str(error))
        return error.status
    return status


class _Witness:
    """Tells a story whose page is known when the program is loaded."""

    def __init__(self, target: Target) -> None:
        self.story = PageHistory()
        self.title = ""
        self.pages: set[int] = set()
        self.session: Session | None = None
        self._target = target
        self._early: list[AnyRecord] | None = []

    def __call__(self, record: AnyRecord) -> None:
        if self._early is None:
            self.story(record)
        elif isinstance(record, records.Exec):
            early, self._early = self._early, None
            self._locate(record)
            for each in [*early, record]:
                self.story(each)
        else:
            self._early.append(record)

    def _locate(self, image: records.Exec) -> None:
        target = self._target
        try:
            address = target.locate(image, self._file(image) if target.symbol else b"")
        except NoTarget as error:
            raise CannotRun(str(error), 2) from None
        self.story.page = address & ~PAGE_MASK
        self.pages.add(self.story.page)
        self.title = target.text
        if target.symbol or address & PAGE_MASK:
            size = f", {target.size:,} bytes" if target.size else ""
            self.title += f" is at {address:#x}{size}"

    def _file(self, image: records.Exec) -> bytes:
        """What the program's file holds: the guest's, or for a trace the host's of that name."""
        if self.session is not None:
            from emu.observe.dwarf.search_path import debug_files
            from emu.observe.model.guest_memory import mapped_file_content

            kernel = self.session.kernel
            data = mapped_file_content(kernel.processes[image.pid].space, image.path)
            return debug_files(kernel).linked(data, image.path) or data
        try:
            with open_regular(image.path) as file:
                return file.read(_LARGEST_FILE)
        except OSError as error:
            raise NoTarget(f"{image.path}, which has the symbols: {error.strerror}") from None
        except ValueError as error:
            raise NoTarget(f"{image.path}, which has the symbols: {error}") from None


def _witness(arguments: argparse.Namespace, lines: Lines, witness: _Witness) -> int:
    from emu.observe.model.sink import RecordingOptions

    if takes_trace(arguments.program, lines):
        return tell_trace(arguments, lines, witness)
    witness.session = open_guest(arguments, lines)
    wanted = RecordingOptions(backtraces=8, samples=False, pages=witness.pages)
    return record(witness.session, witness, lines, wanted)


def _target(text: str) -> Target:
    try:
        return Target(text)
    except NoTarget as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _pid(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1 << 30:
        raise argparse.ArgumentTypeError(f"not a process's number: {text!r}")
    return int(text)

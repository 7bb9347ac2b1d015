"""``emu trace --insn`` and ``--around-faults``: the instructions themselves."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from io import FileIO
from typing import TYPE_CHECKING

from emu.cli.guest_options import count
from emu.cli.guest_run import NotRun, open_session, run_session
from emu.cli.output import Lines
from emu.cli.tracing import address_range

if TYPE_CHECKING:
    from emu.api import Session
    from emu.observe.instruction_span import Span

_EVERYTHING = "all"
_SUFFIXES = (".txt", ".jsonl")


def add_instruction_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("instructions instead of faults")
    group.add_argument(
        "--insn",
        nargs="?",
        const=_EVERYTHING,
        metavar="RANGE",
        help="a line for each instruction: pc, text, the register that changed, the memory that "
        "it touched and its physical address; --insn=RANGE only for those of a function of PROG, "
        "or of START-END. To stderr, or with -o to one file (.txt or .jsonl)",
    )
    group.add_argument(
        "--around-faults",
        type=count,
        metavar="N",
        help="before each fault the N instructions that led to it, at a small part of the cost",
    )


def trace_instructions(arguments: argparse.Namespace, lines: Lines) -> int:
    """Runs the program; its status. Raises :class:`NotRun`."""
    if arguments.insn is not None and arguments.around_faults:
        return _usage(lines, "--insn and --around-faults can't be had at once")
    if len(arguments.output) > 1 or not all(n.endswith(_SUFFIXES) for n in arguments.output):
        return _usage(lines, "instructions go to one file, .txt or .jsonl")
    if arguments.around_faults and any(n.endswith(".jsonl") for n in arguments.output):
        return _usage(lines, "--around-faults writes text: a .txt file")
    session = open_session(arguments, lines)
    with ExitStack() as stack:
        write = _writer(arguments.output, lines, stack)
        if arguments.around_faults:
            return _around_faults(session, arguments.around_faults, write, lines)
        return _every_instruction(session, arguments, write, lines)


def _usage(lines: Lines, message: str) -> int:
    lines.message(message)
    return 2


def _writer(names: list[str], lines: Lines, stack: ExitStack) -> Callable[[bytes], object]:
    """Where whole lines go: stderr or the file. A full disk ends the trace, not the run."""
    if not names:
        return lambda data: lines.plain(data.decode().removesuffix("\n"))
    try:
        file = stack.enter_context(FileIO(names[0], "w"))
    except OSError as error:
        lines.message(f"{names[0]}: {error.strerror}")
        raise NotRun(2) from None
    failed = False

    def write(data: bytes) -> None:
        nonlocal failed
        try:
            while data and not failed:
                data = data[file.write(data) :]
        except OSError as error:
            failed = True
            lines.message(f"{names[0]}: {error.strerror}; the trace ends here")

    return write


def _every_instruction(
    session: Session, arguments: argparse.Namespace, write: Callable[[bytes], object], lines: Lines
) -> int:
    from emu.observe.instruction_forms import Form, JsonForm, TextForm
    from emu.observe.instruction_span import SpanTrace

    as_json = any(name.endswith(".jsonl") for name in arguments.output)
    form: Form = JsonForm() if as_json else TextForm()
    trace = SpanTrace(_span(arguments.insn), write, form)
    try:
        return run_session(session, [trace], lines)
    finally:
        trace.close()


def _span(text: str) -> Span | None:
    from emu.observe.instruction_span import Span

    if text == _EVERYTHING:
        return None
    if not text[:1].isdigit():
        return Span(function=text)
    try:
        return Span(*address_range(text))
    except argparse.ArgumentTypeError:
        return Span(function=text)


def _around_faults(
    session: Session, instructions: int, write: Callable[[bytes], object], lines: Lines
) -> int:
    from emu.observe.around_faults import AroundFaults, Window, window_lines

    def tell(window: Window) -> None:
        write("".join(f"{line}\n" for line in [*window_lines(window), ""]).encode())

    return run_session(session, [AroundFaults(session.kernel, instructions, tell)], lines)

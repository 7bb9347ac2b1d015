"""Selection of faults or instructions: the options, the filter, a hint when no fault matched."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from emu.cli.support.option_values import count
from emu.errors import CommandError

if TYPE_CHECKING:
    from emu.cli.support.message_stream import MessageStream
    from emu.observe.model.sink import Sink
    from emu.observe.record.filters import Filter
    from emu.observe.symbols.symbol_ranges import NamedRange
    from kernel.process.observer import Observer


EVERYTHING = "all"
"""The value of ``--insn`` without a range."""


def add_instruction_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("instructions instead of faults")
    group.add_argument(
        "--insn",
        nargs="?",
        const=EVERYTHING,
        metavar="RANGE",
        help="print a line for each instruction: pc, disassembly, the register that it changed, "
        "the memory that it accessed and its physical address; --insn=RANGE only for a function of "
        "PROG or the addresses START-END; to stderr, or with -o to one file (.txt or .jsonl)",
    )
    group.add_argument(
        "--around-faults",
        type=count,
        metavar="N",
        help="before each selected fault print the N instructions that preceded it, as --insn "
        "does, without physical addresses and at an eighth of the cost; ? is a value or address "
        "that was loaded and overwritten before the next jump",
    )


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("selection of faults (each may be given several times)")
    group.add_argument(
        "--pid", type=count, action="append", default=[], metavar="N", help="in this process"
    )
    group.add_argument(
        "--outcome",
        type=_outcomes,
        action="extend",
        default=[],
        metavar="OUTCOME[,OUTCOME...]",
        help="with this outcome, such as copied or reused; table-unshared selects faults that "
        "first copied a shared leaf table",
    )
    group.add_argument(
        "--address",
        type=_range_or_symbol,
        action="append",
        default=[],
        metavar="START-END|SYMBOL[+LEN]",
        help="at an address in this range, such as 0x10000-0x20000, or at this single address; or "
        "in the function or variable SYMBOL of PROG, or in LEN bytes from its start",
    )
    group.add_argument(
        "--function",
        dest="functions",
        action="append",
        default=[],
        metavar="NAME",
        help="in code of this function; * matches any text",
    )


def build_filter(arguments: argparse.Namespace) -> Filter | None:
    """The filter that the options describe; None when all faults are selected."""
    from emu.observe.record.filters import Filter

    fault_filter = Filter(
        frozenset(arguments.pid),
        frozenset(arguments.outcome),
        tuple(each for each in arguments.address if isinstance(each, tuple)),
        tuple(arguments.functions),
        tuple(each for each in arguments.address if not isinstance(each, tuple)),
    )
    return None if fault_filter == Filter() else fault_filter


def range_locators(
    fault_filter: Filter | None, found: Callable[[tuple[int, int]], None] | None = None
) -> list[Observer]:
    """Observers that resolve the symbols of a filter; they must run before the recorder.

    ``found`` receives each address range [start, end); by default it is added to the filter.
    """
    if fault_filter is None or not fault_filter.named:
        return []
    from emu.observe.symbols.symbol_ranges import Locator

    return [Locator(fault_filter.named, found or fault_filter.resolved.append, _refuse)]


def report_filter_hint(sink: Sink, messages: MessageStream) -> None:
    """Prints a hint after the run when the filter selected none of its faults."""
    from emu.observe.record.filters import FilteredSink

    if isinstance(sink, FilteredSink) and sink.hint:
        messages.message(sink.hint)


def _refuse(reason: str) -> None:
    raise CommandError(reason)


def _outcomes(text: str) -> list[str]:
    from emu.observe.model.outcomes import TABLE_UNSHARED
    from kernel.mm.outcome import Outcome

    names = [*(str(outcome) for outcome in Outcome), TABLE_UNSHARED]
    given = [re.sub("[- ]", "_", name.strip().lower()) for name in text.split(",")]
    wrong = next((name for name in given if name not in names), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(
            f"{wrong!r}: unknown outcome (expected one of {', '.join(names)})"
        )
    return given


def _range_or_symbol(text: str) -> tuple[int, int] | NamedRange:
    from emu.observe.symbols.symbol_ranges import parse_named_range

    named = parse_named_range(text)
    return address_range(text) if named is None else named


def address_range(text: str) -> tuple[int, int]:
    """The range [start, end) of ``0x1000-0x2000`` or of one address; for argparse."""
    first, dash, last = text.partition("-")
    try:
        start = int(first, 0)
        end = int(last, 0) if dash else start + 1
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: not an address range (expected START-END)"
        ) from None
    if not 0 <= start < end <= 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r}: empty address range")
    return start, end

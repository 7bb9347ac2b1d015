"""Which faults a command tells of: the options, the filter, and a hint when it chose none."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from emu.errors import CannotRun

if TYPE_CHECKING:
    from emu.cli.support.message_stream import Lines
    from emu.observe.model.sink import Sink
    from emu.observe.record.filters import Filter
    from emu.observe.symbols.symbol_ranges import NamedRange
    from kernel.process.observer import Observer


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """Which faults are told of."""
    group = parser.add_argument_group("which faults (each may be given several times)")
    group.add_argument("--pid", type=int, action="append", default=[], help="of this process")
    group.add_argument(
        "--outcome",
        type=_outcomes,
        action="extend",
        default=[],
        metavar="OUTCOME[,OUTCOME...]",
        help="such as copied or reused; table-unshared for those that copied a leaf table first",
    )
    group.add_argument(
        "--address",
        type=_place,
        action="append",
        default=[],
        metavar="START-END|SYMBOL[+LEN]",
        help="at an address of this range, such as 0x10000-0x20000, or at this address; or in what "
        "a symbol of PROG names, or in LEN bytes from there",
    )
    group.add_argument(
        "--function",
        dest="functions",
        action="append",
        default=[],
        metavar="NAME",
        help="by this function's code; * stands for anything",
    )


def filter_of(arguments: argparse.Namespace) -> Filter | None:
    """None when everything is wanted."""
    from emu.observe.record.filters import Filter

    chosen = Filter(
        frozenset(arguments.pid),
        frozenset(arguments.outcome),
        tuple(each for each in arguments.address if isinstance(each, tuple)),
        tuple(arguments.functions),
        tuple(each for each in arguments.address if not isinstance(each, tuple)),
    )
    return None if chosen == Filter() else chosen


def locator(
    chosen: Filter | None, tell: Callable[[tuple[int, int]], None] | None = None
) -> list[Observer]:
    """Who finds the ranges that a filter names, to be told of the run before the recorder.

    ``tell`` hears of them; without it the filter itself.
    """
    from emu.observe.symbols.symbol_ranges import Locator

    if chosen is None or not chosen.named:
        return []
    return [Locator(chosen.named, tell or chosen.resolved.append, _refuse)]


def tell_hint(sink: Sink, lines: Lines) -> None:
    """After the run: says so when a filter wanted none of the faults there were."""
    from emu.observe.record.filters import FilteredSink

    if isinstance(sink, FilteredSink) and sink.hint:
        lines.message(sink.hint)


def _refuse(reason: str) -> None:
    raise CannotRun(reason, 2)


def _outcomes(text: str) -> list[str]:
    from emu.observe.model.outcomes import TABLE_UNSHARED
    from kernel.mm.outcome import Outcome

    names = [*(str(outcome) for outcome in Outcome), TABLE_UNSHARED]
    found = [re.sub("[- ]", "_", word.strip().lower()) for word in text.split(",")]
    wrong = next((word for word in found if word not in names), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(f"no outcome: {wrong!r} (there are {', '.join(names)})")
    return found


def _place(text: str) -> tuple[int, int] | NamedRange:
    from emu.observe.symbols.symbol_ranges import parse_named_range

    named = parse_named_range(text)
    return address_range(text) if named is None else named


def address_range(text: str) -> tuple[int, int]:
    """[start, end) from ``0x1000-0x2000``, or one address."""
    first, dash, last = text.partition("-")
    try:
        start = int(first, 0)
        end = int(last, 0) if dash else start + 1
    except ValueError:
        raise argparse.ArgumentTypeError(f"no range of addresses: {text!r}") from None
    if not 0 <= start < end <= 1 << 64:
        raise argparse.ArgumentTypeError(f"an empty range of addresses: {text!r}")
    return start, end

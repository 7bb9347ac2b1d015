"""Filters of a trace: select records by process, outcome, address and function."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec.structs import replace

from emu.observe.model import records
from emu.observe.model.outcomes import TABLE_UNSHARED
from emu.observe.model.records import AnyRecord, SourceLocation
from emu.observe.model.sink import Sink

if TYPE_CHECKING:
    from emu.observe.symbols.symbol_ranges import NamedRange

_DROPPED_WITH_FAULT_FILTER = records.Call | records.ByACall

_COPY_OF = re.compile(r"\.(constprop|isra|part|cold|lto_priv|llvm)\b.*")
"""Suffixes that GCC and Clang append to the names of function clones and parts."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions, all of which must hold for a fault; an empty one holds for every fault.

    Addresses are [start, end); functions may contain wildcards (fnmatch).
    """

    pids: frozenset[int] = frozenset()
    outcomes: frozenset[str] = frozenset()
    addresses: tuple[tuple[int, int], ...] = ()
    functions: tuple[str, ...] = ()
    named: tuple[NamedRange, ...] = ()
    """Ranges given by symbol; their addresses are added to ``resolved`` when they are known."""
    resolved: list[tuple[int, int]] = field(default_factory=list, compare=False)

    def matches(self, fault: records.Fault) -> bool:
        return (
            (not self.outcomes or self._matches_outcome(fault))
            and (not (self.addresses or self.named) or self._matches_address(fault.stval))
            and (not self.functions or any(self._names(name) for name in _names(fault.place)))
        )

    def _matches_address(self, address: int) -> bool:
        return any(a <= address < b for a, b in (*self.addresses, *self.resolved))

    def _matches_outcome(self, fault: records.Fault) -> bool:
        copied = fault.table_copied or fault.middle_copied
        unshared = copied and TABLE_UNSHARED in self.outcomes
        return unshared or fault.outcome in self.outcomes

    def _names(self, function: str) -> bool:
        return any(fnmatchcase(function, pattern) for pattern in self.functions)

    @property
    def description(self) -> str:
        """The conditions in words, for a message."""
        names = [outcome.replace("_", "-") for outcome in sorted(self.outcomes)]
        ranges = [f"{a:#x}" if b == a + 1 else f"{a:#x}-{b:#x}" for a, b in self.addresses]
        parts = {
            "of pid": [str(pid) for pid in sorted(self.pids)],
            "with outcome": names,
            "at": [*ranges, *map(str, self.named)],
            "in function": list(self.functions),
        }
        return " ".join(f"{what} {' or '.join(each)}" for what, each in parts.items() if each)

    @property
    def selects_faults(self) -> bool:
        return bool(self.outcomes or self.addresses or self.named or self.functions)


def _names(place: SourceLocation) -> list[str]:
    """Returns the names of the place's functions; of a clone ``f.constprop.0`` also ``f``."""
    names = [place.function, *(caller.function for caller in place.inlined)]
    return [*names, *(_COPY_OF.sub("", name) for name in names if "." in name)]


@dataclass(slots=True)
class FilteredSink:
    """A sink that forwards the records that match the filter.

    A fork also belongs to its child. A filter that selects faults drops the records of system calls
    and of ranges, and forwards a copy's end if it forwarded the copy's fault. The start record is
    marked as filtered.
    """

    sink: Sink
    filter: Filter
    _passed_faults: set[int] = field(default_factory=set)
    _faults: int = 0
    _complete: bool = False

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, records.Start):
            self.sink(replace(record, filtered=self.filter != Filter()))
        else:
            self._faults += isinstance(record, records.Fault)
            self._complete = isinstance(record, records.End)
            if self._matches(record):
                self.sink(record)

    @property
    def hint(self) -> str:
        """A message for a run that had faults of which none matched; else empty."""
        if self._passed_faults or not self._faults or not self._complete:
            return ""
        return f"{self._faults:,} faults, none {self.filter.description}"

    def _matches(self, record: AnyRecord) -> bool:
        if isinstance(record, records.CopyEnd):  # its pid is another one if the copier has left
            return record.fault in self._passed_faults
        if not self._matches_pid(record):
            return False
        if isinstance(record, records.Fault):
            matches = self.filter.matches(record)
            if matches:
                self._passed_faults.add(record.seq)
            return matches
        if isinstance(record, _DROPPED_WITH_FAULT_FILTER):
            return not self.filter.selects_faults
        return True

    def _matches_pid(self, record: AnyRecord) -> bool:
        pids = self.filter.pids
        if not pids or isinstance(record, records.Start | records.End):
            return True
        if isinstance(record, records.Fork) and record.child in pids:
            return True
        return record.pid in pids

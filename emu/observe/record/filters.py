"""Which records of a trace are wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from msgspec.structs import replace

from emu.observe.model import records
from emu.observe.model.outcomes import TABLE_UNSHARED
from emu.observe.model.records import AnyRecord, SourceLocation
from emu.observe.model.sink import Sink
from emu.observe.symbols.symbol_ranges import NamedRange

_NOT_BESIDE_CHOSEN_FAULTS = records.Call | records.ByACall

_COPY_OF = re.compile(r"\.(constprop|isra|part|cold|lto_priv|llvm)\b.*")
"""What GCC and Clang put behind the name of a function of which they make a copy or a part."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Each that is given must be met. Addresses are [start, end); functions may have wildcards."""

    pids: frozenset[int] = frozenset()
    outcomes: frozenset[str] = frozenset()
    addresses: tuple[tuple[int, int], ...] = ()
    functions: tuple[str, ...] = ()
    named: tuple[NamedRange, ...] = ()
    """Ranges that are known once the program is there: in ``located`` then."""
    located: list[tuple[int, int]] = field(default_factory=list, compare=False)

    def wants(self, fault: records.Fault) -> bool:
        return (
            (not self.outcomes or self._has_outcome(fault))
            and (not (self.addresses or self.named) or self._is_at(fault.stval))
            and (not self.functions or any(self._names(name) for name in _names(fault.place)))
        )

    def _is_at(self, address: int) -> bool:
        return any(a <= address < b for a, b in (*self.addresses, *self.located))

    def _has_outcome(self, fault: records.Fault) -> bool:
        unshared = fault.table_copied and TABLE_UNSHARED in self.outcomes
        return unshared or fault.outcome in self.outcomes

    def _names(self, function: str) -> bool:
        return any(fnmatchcase(function, pattern) for pattern in self.functions)

    @property
    def words(self) -> str:
        """What a fault has to be, for a message."""
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
    def chooses_faults(self) -> bool:
        return bool(self.outcomes or self.addresses or self.named or self.functions)


def _names(place: SourceLocation) -> list[str]:
    """Of a compiler's copy of a function, such as ``deep.constprop.0``, also the function's."""
    names = [place.function, *(caller.function for caller in place.inlined)]
    return [*names, *(_COPY_OF.sub("", name) for name in names if "." in name)]


@dataclass(slots=True)
class Filtered:
    """A sink that passes on what the filter wants: of faults, and of all that has a pid.

    A fork is its child's, too. Where faults are chosen, records of system calls and ranges are left
    out, and the end of a copied page is told of when its fault was. The start says that it is not
    all.
    """

    sink: Sink
    filter: Filter
    _told: set[int] = field(default_factory=set)
    _faults: int = 0
    _ended: bool = False

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, records.Start):
            self.sink(replace(record, filtered=self.filter != Filter()))
        else:
            self._faults += isinstance(record, records.Fault)
            self._ended = isinstance(record, records.End)
            if self._wants(record):
                self.sink(record)

    @property
    def hint(self) -> str:
        """A line that says so when a run had faults, and the filter wanted none of them."""
        if self._told or not self._faults or not self._ended:
            return ""
        return f"{self._faults:,} faults, none {self.filter.words}"

    def _wants(self, record: AnyRecord) -> bool:
        if isinstance(record, records.CopyEnd):  # by another process, if the copier left it
            return record.fault in self._told
        if not self._of_a_wanted_process(record):
            return False
        if isinstance(record, records.Fault):
            wanted = self.filter.wants(record)
            if wanted:
                self._told.add(record.seq)
            return wanted
        if isinstance(record, _NOT_BESIDE_CHOSEN_FAULTS):
            return not self.filter.chooses_faults
        return True

    def _of_a_wanted_process(self, record: AnyRecord) -> bool:
        pids = self.filter.pids
        if not pids or isinstance(record, records.Start | records.End):
            return True
        if isinstance(record, records.Fork) and record.child in pids:
            return True
        return record.pid in pids

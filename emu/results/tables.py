"""The columns of the tables of a result."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from emu.observe.analysis.cow_profile import ForkShare, Site, Usage
from emu.observe.model.records import Fault
from emu.results.table import Columns, Table


class MemorySample(NamedTuple):
    """Memory use of a process at a time in ns; pages as in /proc/PID/smaps."""

    pid: int
    name: str
    time: int
    resident: int
    proportional: float
    unique: int


def _attributes(names: str) -> Columns:
    return {name: attrgetter(name) for name in names.split()}


def _where(fault: Fault) -> str:
    place = fault.place
    line = f" {place.file.rpartition('/')[2]}:{place.line}" if place.line else ""
    return fault.in_kernel or f"{place.function or hex(place.pc)}{line}"


_FAULT: Columns = {
    **_attributes("seq time pid tid access outcome"),
    "where": _where,
    "address": attrgetter("stval"),
    "function": lambda fault: fault.place.function,
    "file": lambda fault: fault.place.file,
    "line": lambda fault: fault.place.line,
    "mapping": lambda fault: fault.vma.name if fault.vma is not None else "",
    **_attributes("instruction in_kernel rule pages frame_before frame_after"),
    **_attributes("count_before count_after flags_before flags_after"),
    **_attributes("table_copied huge split host_ns"),
}
_FAULT_SHOWN = ["pid", "access", "where", "address", "outcome", "mapping"]
_FORK: Columns = {
    **_attributes("number time parent child function file line pages_shared tables_shared"),
    "copied_by_parent": attrgetter("by_parent.copied"),
    "copied_by_child": attrgetter("by_child.copied"),
    "reused_by_parent": attrgetter("by_parent.reused"),
    "reused_by_child": attrgetter("by_child.reused"),
    **_attributes("frames_copied eager_copies bytes_copied bytes_changed"),
}
_FORK_SHOWN = [
    *("number", "parent", "child", "function", "pages_shared"),
    *("copied_by_parent", "copied_by_child", "bytes_copied", "bytes_changed"),
]
_SITE = _attributes("name file line via copies bytes_copied bytes_changed")
_MEMORY = _attributes("pid name time resident proportional unique")


def fault_table(faults: Sequence[Fault]) -> Table[Fault]:
    """Page faults, in the order in which they occurred."""
    return Table(faults, _FAULT, _FAULT_SHOWN)


def fork_table(forks: Sequence[ForkShare]) -> Table[ForkShare]:
    return Table(forks, _FORK, _FORK_SHOWN)


def site_table(sites: Sequence[Site]) -> Table[Site]:
    return Table(sites, _SITE)


def memory_table(memory: Sequence[Usage]) -> Table[MemorySample]:
    samples = [
        MemorySample(usage.pid, usage.name, *values)
        for usage in memory
        for values in zip(usage.time, usage.resident, usage.proportional, usage.unique, strict=True)
    ]
    return Table(samples, _MEMORY)

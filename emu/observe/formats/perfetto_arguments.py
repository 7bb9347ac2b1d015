"""The arguments of events in a Perfetto trace, named like the fields of records."""

from __future__ import annotations

from emu.observe.formats.fault_line import place_text
from emu.observe.formats.perfetto_packets import Arguments, Name, Value
from emu.observe.model import records
from emu.observe.model.records import SourceLocation


def fault_arguments(fault: records.Fault) -> Arguments:
    """Frames, addresses and PTEs are hexadecimal; empty values are omitted."""
    shown: dict[str, Value] = {
        **_code(fault.place, fault.backtrace),
        "instruction": Name(fault.instruction),
        "rule": Name(fault.rule),
        "call": Name(fault.in_kernel),
        "stval": hex(fault.stval),
        "vma": Name(f"{fault.vma.rights} {fault.vma.name}".rstrip()) if fault.vma else "",
        "frame_before": hex(fault.frame_before) if fault.frame_before else "",
        "frame_after": hex(fault.frame_after) if fault.frame_after else "",
        "huge": fault.huge,
        "split": fault.split,
        "around": [hex(page.address) for page in fault.around],
        "sharers": [f"pid {sharer.pid} at {sharer.address:#x}" for sharer in fault.sharers],
        "heap": [Name(place_text(place)) for place in fault.heap],
    }
    return _present(shown) | {
        "cause": fault.cause,
        "pte_before": _pte(fault.pte_before, fault.flags_before),
        "pte_after": _pte(fault.pte_after, fault.flags_after),
        "count_before": fault.count_before,
        "count_after": fault.count_after,
        "table_copied": fault.table_copied,
        "middle_copied": fault.middle_copied,
        "seq": fault.seq,
    }


def fork_arguments(fork: records.Fork) -> Arguments:
    return {
        "child": fork.child,
        "pages_shared": fork.pages_shared,
        "tables_shared": fork.tables_shared,
        "middle_tables_shared": fork.middle_tables_shared,
        "frames_copied": fork.frames_copied,
        "eager_copies": fork.eager_copies,
        "ptes_written": fork.ptes_written,
        **(_code(fork.place, fork.backtrace) if fork.place is not None else {}),
    }


def copy_end_arguments(end: records.CopyEnd) -> Arguments:
    return {
        "address": hex(end.address),
        "bytes_changed": end.bytes_changed,
        "fault": end.fault,
    }


def _code(place: SourceLocation, backtrace: list[SourceLocation]) -> dict[str, Value]:
    if not place.pc:
        return {}
    shown: dict[str, Value] = {
        "function": Name(place.function),
        "file": Name(place.file),
        "line": place.line,
        "image": Name(place.image),
        "inlined": [Name(caller.function) for caller in place.inlined],
        "backtrace": [Name(place_text(caller)) for caller in backtrace],
    }
    return {"pc": hex(place.pc)} | _present(shown)


def _present(shown: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in shown.items() if value}


def _pte(pte: int, flags: str) -> str:
    return f"{pte:#x} {flags}".rstrip()

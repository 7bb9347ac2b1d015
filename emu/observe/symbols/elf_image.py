"""An ELF file with mapped code: its symbols, lines and call frame information."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from msgspec.structs import replace

from emu.observe.cfi.call_frame_info import CallFrames
from emu.observe.cfi.cfi_program import Rule
from emu.observe.cfi.function_starts import Starts
from emu.observe.cfi.prologue_analysis import LONGEST, prologue_rule
from emu.observe.dwarf.entries import DebugInfo
from emu.observe.dwarf.split_units import SplitFile, SplitFiles
from emu.observe.dwarf.units import DebugUnits, UnitCode
from emu.observe.model.raw_events import DebugFile
from emu.observe.model.records import Caller, SourceLocation, text
from emu.observe.symbols.elf_file import ElfFile
from kernel.base.elf_headers import reader

_END = 1 << 64


class Image:
    """Addresses are those in the ELF file. A damaged file has no information."""

    def __init__(self, content: bytes, debug: Sequence[DebugFile] = ()) -> None:
        self._data = content
        self._debug = debug
        self._symbol_file = next((each.content for each in debug if each.kind == "linked"), content)
        """The file that has the symbols and lines."""
        self._starts: dict[int, Starts] = {}
        self.rules = Memoized(self._rule)
        """The unwinding rule, by address."""
        self.places = Memoized(self._place)
        """The :class:`SourceLocation` of an address, with that address as its pc."""

    # The file is parsed on first use.

    @cached_property
    def _elf(self) -> ElfFile:
        return ElfFile(self._data)

    @cached_property
    def _base(self) -> int:
        elf = self._elf if self._symbol_file is self._data else ElfFile(self._symbol_file)
        return min((start for start, _, _ in elf.segments), default=0)

    @cached_property
    def _symbols(self) -> Any:
        return _symbol_cache(self._symbol_file)

    @cached_property
    def _units(self) -> DebugUnits:
        split = [SplitFile(each.sections) for each in self._debug if each.kind == "split"]
        shared = (DebugInfo(each.sections) for each in self._debug if each.kind == "shared")
        return DebugUnits(self._symbol_file, SplitFiles(split), next(shared, None))

    @cached_property
    def _frames(self) -> list[CallFrames]:
        files = [self._data] if self._symbol_file is self._data else [self._data, self._symbol_file]
        return [CallFrames(reader(each)) for each in files]

    def address(self, offset: int) -> int | None:
        """Address of the byte at ``offset`` in the file; None if it is not loaded."""
        return self._elf.address(offset)

    def word(self, offset: int) -> int | None:
        """The eight bytes at ``offset`` in the file; None if there are fewer."""
        data = self._data[offset : offset + 8]
        return int.from_bytes(data, "little") if len(data) == 8 else None

    def _rule(self, address: int) -> Rule | None:
        rules = (frames.rule(address) for frames in self._frames)
        return next(filter(None, rules), None) or self._rule_by_code(address)

    def _rule_by_code(self, address: int) -> Rule | None:
        """The rule for code without call frame information, such as much of glibc."""
        begin = self._function(address)
        if begin is None or not 0 <= address - begin <= LONGEST:
            return None
        code = self._elf.code(begin, address - begin)
        return prologue_rule(code) if len(code) == address - begin else None

    def _function(self, address: int) -> int | None:
        """Start of the function that contains the address: by symbols, otherwise by the targets of
        calls.
        """
        place = self.places[address]
        if place.function:
            return address - place.offset
        for start, offset, size in self._elf.segments:
            if start <= address < start + size:
                starts = self._starts.get(start)
                if starts is None:
                    starts = self._starts[start] = Starts(self._data[offset : offset + size], start)
                return starts.before(address)
        return None

    def _place(self, address: int) -> SourceLocation:
        place = self._place_of(address)
        unit = self._units.find(address)
        return place if unit is None else _place_in(unit, address, place)

    def _place_of(self, address: int) -> SourceLocation:
        at = address - self._base
        known = self._symbols is not None and 0 <= at < _END
        found = self._symbols.lookup(at) if known else ()
        if not found:
            return SourceLocation(address)
        innermost, *outer = found
        return SourceLocation(
            address,
            function=text(innermost.symbol),
            offset=at - found[-1].sym_addr,
            file=text(innermost.full_path),
            line=innermost.line,
            inlined=tuple(Caller(text(at.symbol), text(at.full_path), at.line) for at in outer),
        )


def _place_in(unit: UnitCode, address: int, place: SourceLocation) -> SourceLocation:
    """The location by the unit's own debug information; ``place`` gives the outermost function."""
    chain, line = unit.chain(address), unit.line(address)
    function = place.inlined[-1].function if place.inlined else place.function
    callers: list[Caller] = []
    for name, call in chain[1:]:
        callers.append(Caller(function, text(call.file), call.line))
        function = text(name)
    return replace(
        place,
        function=function,
        file=text(line.file),
        line=line.line,
        inlined=tuple(reversed(callers)),
    )


def _symbol_cache(data: bytes) -> Any:
    """None for a file without symbols."""
    from symbolic.debuginfo import Archive
    from symbolic.exceptions import SymbolicError

    try:
        objects = Archive.from_bytes(data).iter_objects()
        return next(iter(objects)).make_symcache()
    except (SymbolicError, StopIteration, ValueError):
        return None


_MAX_CACHED = 1 << 18
T = TypeVar("T")


class Memoized(dict[int, T]):
    """Calls ``find`` for each address once; later look-ups cost as much as in a dict."""

    def __init__(self, find: Callable[[int], T]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, address: int) -> T:
        if len(self) >= _MAX_CACHED:
            self.clear()
        found = self[address] = self._find(address)
        return found

"""Source excerpts and disassembly around the code locations of a report, from host files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from emu.observe.model.records import SourceLocation
from emu.observe.report.host_files import LARGEST_IMAGE, HostFiles
from emu.observe.symbols.disassembler import disassembler
from emu.observe.symbols.elf_file import ElfFile

_LINES = 9
"""Number of source lines shown before and after a location."""
_INSTRUCTIONS = 8
_BACK = 48
_FARTHEST = 1 << 14
"""Maximum distance from a function's start to disassemble from there."""
_MOST_PLACES = 4000
_LONGEST_LINE = 400

Instruction = tuple[int, str]


def excerpts(
    places: Iterable[SourceLocation], files: HostFiles
) -> dict[str, list[tuple[int, str]]]:
    """Returns the (number, text) of lines around each place, by file name."""
    line_numbers: dict[str, set[int]] = defaultdict(set)
    for place in places:
        for file, line in [(place.file, place.line), *((c.file, c.line) for c in place.inlined)]:
            if file and line:
                line_numbers[file].update(range(max(1, line - _LINES), line + _LINES + 1))
    found: dict[str, list[tuple[int, str]]] = {}
    for file, numbers in line_numbers.items():
        lines = files.source(file)
        if lines is not None:
            found[file] = [
                (number, lines[number - 1][:_LONGEST_LINE])
                for number in sorted(numbers)
                if number <= len(lines)
            ]
    return found


class Listings:
    """Disassembles the instructions around a pc, from the file that was mapped there."""

    def __init__(self, files: HostFiles) -> None:
        self._files = files
        self._elves: dict[str, ElfFile | None] = {}
        self._bytes = 0
        """Bytes of the files read so far, which are limited: a trace may name any number."""
        self._cached: dict[tuple[SourceLocation, int], list[Instruction]] = {}

    def around(self, place: SourceLocation, base: int) -> list[Instruction]:
        """Returns the (address, text) of instructions around the place; empty if no file has them.

        ``base`` is the lowest address at which the file was mapped.
        """
        key = place, base
        listing = self._cached.get(key)
        if listing is None:
            if len(self._cached) >= _MOST_PLACES:
                return []
            listing = self._cached[key] = self._make(place, base)
        return listing

    def _make(self, place: SourceLocation, base: int) -> list[Instruction]:
        elf = self._elf(place.image)
        if elf is None:
            return []
        bias = base - elf.base
        start = _start(place, elf, bias)
        if start is None:
            return []
        code = elf.code(start - bias, place.pc - start + 4 * (_INSTRUCTIONS + 1))
        listing = _disassemble(code, start)
        here = next(i for i, (address, _) in enumerate(listing) if address >= place.pc)
        return listing[max(0, here - _INSTRUCTIONS) : here + _INSTRUCTIONS + 1]

    def _elf(self, image: str) -> ElfFile | None:
        if image not in self._elves:
            data = self._files.image(image) if self._bytes < LARGEST_IMAGE else None
            self._bytes += len(data or b"")
            self._elves[image] = ElfFile(data) if data is not None else None
        return self._elves[image]


def _start(place: SourceLocation, elf: ElfFile, bias: int) -> int | None:
    """Finds an address before the pc from which decoding in sequence arrives at the pc."""
    candidates = [place.pc - place.offset] if 0 < place.offset < _FARTHEST else []
    candidates += [place.pc - back for back in range(_BACK, -1, -2)]
    for start in candidates:
        code = elf.code(start - bias, place.pc - start + 4)
        if any(address == place.pc for address, _ in _split(code, start)):
            return start
    return None


def _split(code: bytes, start: int) -> list[tuple[int, bytes]]:
    """Splits code into instructions; low bits 11 mark one of four bytes (RISC-V spec, 1.5)."""
    parts = []
    at = 0
    while at + 2 <= len(code):
        length = 4 if code[at] & 3 == 3 else 2
        if at + length > len(code):
            break
        parts.append((start + at, code[at : at + length]))
        at += length
    return parts


def _disassemble(code: bytes, start: int) -> list[Instruction]:
    text = disassembler().text
    return [(address, text(part, address)) for address, part in _split(code, start)]

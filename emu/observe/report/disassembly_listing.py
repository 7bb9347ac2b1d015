"""Source lines and instructions around the places of a report, as far as files have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from emu.observe.model.records import SourceLocation
from emu.observe.report.host_files import LARGEST_IMAGE, HostFiles
from emu.observe.symbols.disassembler import disassembler
from emu.observe.symbols.elf_file import ElfFile

_LINES = 9
"""So many source lines before a place's line, and after it."""
_INSTRUCTIONS = 8
_BACK = 48
_FARTHEST = 1 << 14
"""A function that begins farther away is not disassembled from its start."""
_MOST_PLACES = 4000
_LONGEST_LINE = 400

Instruction = tuple[int, str]


def excerpts(
    places: Iterable[SourceLocation], files: HostFiles
) -> dict[str, list[tuple[int, str]]]:
    """(number, text) of the lines around each place, by the name of the file."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for place in places:
        for file, line in [(place.file, place.line), *((c.file, c.line) for c in place.inlined)]:
            if file and line:
                wanted[file].update(range(max(1, line - _LINES), line + _LINES + 1))
    found: dict[str, list[tuple[int, str]]] = {}
    for file, numbers in wanted.items():
        lines = files.source(file)
        if lines is not None:
            found[file] = [
                (number, lines[number - 1][:_LONGEST_LINE])
                for number in sorted(numbers)
                if number <= len(lines)
            ]
    return found


class Listings:
    """The instructions around a pc, from the file that was mapped there."""

    def __init__(self, files: HostFiles) -> None:
        self._files = files
        self._elves: dict[str, ElfFile | None] = {}
        self._bytes = 0
        """The largest of these files; a trace may name any number of them."""
        self._done: dict[tuple[SourceLocation, int], list[Instruction]] = {}

    def around(self, place: SourceLocation, base: int) -> list[Instruction]:
        """(address, text) around the place; nothing where no file has it.

        ``base`` is where the file was mapped first.
        """
        key = place, base
        listing = self._done.get(key)
        if listing is None:
            if len(self._done) >= _MOST_PLACES:
                return []
            listing = self._done[key] = self._make(place, base)
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
    """An address before the pc from which instruction after instruction leads to it."""
    candidates = [place.pc - place.offset] if 0 < place.offset < _FARTHEST else []
    candidates += [place.pc - back for back in range(_BACK, -1, -2)]
    for start in candidates:
        code = elf.code(start - bias, place.pc - start + 4)
        if any(address == place.pc for address, _ in _split(code, start)):
            return start
    return None


def _split(code: bytes, start: int) -> list[tuple[int, bytes]]:
    """The instructions; a parcel whose low bits are 11 begins one of four bytes (RISC-V, 1.5)."""
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

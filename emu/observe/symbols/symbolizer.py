"""Maps a guest's pc to function, file and line, by symbol tables and DWARF of the mapped files.

The result depends only on which files have code mapped where, so processes with the same layout
share it: a parent and its child, or successive runs of a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from emu.machine.isa.decoder import instruction_length
from emu.observe.cfi.cfi_program import Rule
from emu.observe.model.raw_events import ImageFile, Layout, Mapped
from emu.observe.model.records import SourceLocation
from emu.observe.symbols.disassembler import disassembler
from emu.observe.symbols.elf_image import Image

_MOST_ADDRESSES = 1 << 16
_MOST_STACKS = 1 << 13
Key = TypeVar("Key")
Value = TypeVar("Value")
_Lists = dict[tuple[SourceLocation, ...], list[SourceLocation]]


class Code:
    """The code of a layout. Numbers of layouts are never reused."""

    def __init__(self, layout: Layout, images: dict[int, Image], lists: _Lists) -> None:
        self.number = layout.number
        self._ranges = [(mapped, images[mapped.image]) for mapped in layout.ranges]
        self._lists = lists
        self._places: dict[int, SourceLocation] = {}
        self._callers: dict[int, SourceLocation] = {}
        self._calls: dict[tuple[int, ...], list[SourceLocation]] = {}
        self._rules: dict[int, Rule | None] = {}

    def place(self, pc: int) -> SourceLocation:
        """The location of ``pc``."""
        place = self._places.get(pc)
        return place if place is not None else self._place(pc)

    def caller(self, address: int) -> SourceLocation:
        """The location of the call that returns to ``address``."""
        place = self._callers.get(address)
        if place is None:
            call = self._place(address - 1)
            place = replace(call, pc=address, offset=call.offset + 1)
            _remember(self._callers, address, place, _MOST_ADDRESSES)
        return place

    def callers(self, calls: Sequence[int]) -> list[SourceLocation]:
        """The locations of the calls; the same list object for equal calls, in all layouts."""
        key = tuple(calls)
        found = self._calls.get(key)
        if found is None:
            places = tuple(map(self.caller, calls))
            found = self._lists.get(places)
            if found is None:
                found = list(places)
                _remember(self._lists, places, found, _MOST_STACKS)
            _remember(self._calls, key, found, _MOST_STACKS)
        return found

    def rule(self, pc: int) -> Rule | None:
        """The unwinding rule at ``pc``."""
        rules = self._rules
        return rules[pc] if pc in rules else self._rule(pc)

    def word(self, address: int) -> int | None:
        """The eight bytes of code at ``address`` in its file; None if the code is not a file's."""
        mapped, image = self._find(address) or (None, None)
        if mapped is None or image is None or address + 8 > mapped.end:
            return None
        return image.word(mapped.offset + address - mapped.start)

    def _place(self, pc: int) -> SourceLocation:
        mapped, image, address = self._located(pc) or (None, None, None)
        if mapped is None or image is None:
            return SourceLocation(pc)
        if address is None:
            return SourceLocation(pc, image=mapped.name)
        place = replace(image.places[address], pc=pc, image=mapped.name)
        _remember(self._places, pc, place, _MOST_ADDRESSES)
        return place

    def _rule(self, pc: int) -> Rule | None:
        _, image, address = self._located(pc) or (None, None, None)
        if image is None or address is None:
            return None
        rule = image.rules[address]
        _remember(self._rules, pc, rule, _MOST_ADDRESSES)
        return rule

    def _located(self, pc: int) -> tuple[Mapped, Image, int | None] | None:
        """The range that contains ``pc``, its image, and the address in the ELF file, if any."""
        found = self._find(pc)
        if found is None:
            return None
        mapped, image = found
        return mapped, image, image.address(mapped.offset + pc - mapped.start)

    def _find(self, pc: int) -> tuple[Mapped, Image] | None:
        return next((each for each in self._ranges if each[0].start <= pc < each[0].end), None)


class Symbols:
    """The code of all processes, from the layouts and images that were added."""

    def __init__(self) -> None:
        self._images: dict[int, Image] = {}
        self._codes: dict[int, Code] = {}
        self._lists: _Lists = {}
        self._texts: dict[tuple[int, int], str] = {}

    def add_image(self, file: ImageFile) -> None:
        self._images[file.number] = Image(file.content, file.debug)

    def add_layout(self, layout: Layout) -> None:
        self._codes[layout.number] = Code(layout, self._images, self._lists)

    def forget(self, number: int) -> None:
        """Removes an image or a layout; layouts keep the images that they use."""
        self._images.pop(number, None)
        self._codes.pop(number, None)

    def code(self, number: int) -> Code:
        """The code of a layout that was added."""
        return self._codes[number]

    def knows(self, number: int) -> bool:
        """True if the layout was added."""
        return number in self._codes

    def has(self, number: int) -> bool:
        """True if the image was added."""
        return number in self._images

    def instruction(self, pc: int, bits: int) -> str:
        """The instruction as text."""
        text = self._texts.get((pc, bits))
        if text is None:
            code = bits.to_bytes(instruction_length(bits), "little")
            text = disassembler().text(code, pc)
            _remember(self._texts, (pc, bits), text, _MOST_ADDRESSES)
        return text


def _remember(found: dict[Key, Value], key: Key, value: Value, most: int) -> None:
    if len(found) >= most:
        found.clear()
    found[key] = value

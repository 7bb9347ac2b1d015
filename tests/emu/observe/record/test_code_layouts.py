"""Is each layout told of before it is meant, once, and again when its files or code changed?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from emu.observe.model.raw_events import Forgotten, ImageFile, Layout, RawEvent
from emu.observe.record.code_layouts import Layouts
from emu.observe.symbols.symbolizer import Symbols
from kernel.mm.page_cache import FilePages
from kernel.mm.vma import Prot

CODE, DATA, OTHER = 0x10000, 0x20000, 0x30000


class File:
    """As much of an inode as it takes."""

    def __init__(self, content: bytes = b"code") -> None:
        self.content, self.mtime = content, 1

    @property
    def size(self) -> int:
        return len(self.content)

    def read_at(self, offset: int, count: int) -> bytes:
        return self.content[offset : offset + count]

    def stat(self) -> Any:
        return SimpleNamespace(mtime=self.mtime, size=self.size)


def vma(start: int, file: File | None, prot: Prot = Prot.READ | Prot.EXEC, name: str = "f") -> Any:
    backing = None
    if file is not None:
        backing = FilePages.__new__(FilePages)
        backing.inode = file  # type: ignore[assignment]
    end = start + 0x1000
    return SimpleNamespace(start=start, end=end, offset=0, prot=prot, backing=backing, name=name)


class Space:
    def __init__(self, *vmas: Any) -> None:
        self.vmas = list(vmas)

    def overlapping(self, start: int, end: int) -> list[Any]:
        return [each for each in self.vmas if each.start < end and start < each.end]


class Heard(list[RawEvent]):
    tell = list.append

    def keep(self, parts: list[memoryview]) -> bytes:
        return b"".join(parts)

    def of(self, kind: type) -> list[Any]:
        return [fact for fact in self if isinstance(fact, kind)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_processes_with_the_same_code_have_one_layout(heard: Heard) -> None:
    layouts, file = Layouts(heard), File()
    first: Any = Space(vma(CODE, file), vma(DATA, None, Prot.READ))
    second: Any = Space(vma(CODE, file), vma(OTHER, None, Prot.READ))
    assert layouts.of(first) == layouts.of(second)
    (image,), (layout,) = heard.of(ImageFile), heard.of(Layout)
    assert image.content == b"code" and layout.ranges[0].image == image.number
    assert heard.index(image) < heard.index(layout)


def test_only_a_change_of_code_is_one(heard: Heard) -> None:
    layouts, space = Layouts(heard), Space(vma(CODE, File()))
    told: Any = space
    first = layouts.of(told)
    assert first[1]
    space.vmas.append(vma(DATA, File(), Prot.READ | Prot.WRITE))
    layouts.changed(told, DATA, DATA + 0x1000)
    assert layouts.of(told) == first and len(heard) == 2
    space.vmas.append(vma(OTHER, None))
    layouts.changed(told, OTHER, OTHER + 0x1000)
    assert layouts.of(told) == (first[0], False), "the same files' code, and some in no file"
    layouts.discarding(told)
    assert layouts.of(told, OTHER + 8) == first, "the kernel's own page is none of the program's"
    del space.vmas[-1]
    layouts.changed(told, OTHER, OTHER + 0x1000)
    assert layouts.of(told) == first and len(heard) == 2
    space.vmas[0] = vma(OTHER, File(), name="g")
    layouts.changed(told, CODE, CODE + 0x1000)
    assert layouts.of(told) != first
    assert [each.name for each in heard.of(Layout)[-1].ranges] == ["g"]


def test_a_file_that_was_written_since_is_another_image(heard: Heard) -> None:
    layouts, file = Layouts(heard), File()
    old: Any = Space(vma(CODE, file))
    new: Any = Space(vma(CODE, file))
    before = layouts.of(old)
    file.content, file.mtime = b"another", 2
    assert layouts.of(new) != before == layouts.of(old)
    first, second = heard.of(ImageFile)
    assert second.content == b"another"
    assert Forgotten(first.number) in heard


def test_what_a_teller_was_told_is_all_it_needs(heard: Heard) -> None:
    """However many programs and files there were: 64 of each are kept."""
    layouts, symbols = Layouts(heard), Symbols()
    many: Any = Space(*(vma(OTHER + 0x1000 * n, File(bytes([n]) * 16)) for n in range(100)))
    spaces: list[Any] = [Space(vma(CODE, File(n.to_bytes(2, "big") * 8))) for n in range(100)]
    at = 0
    for space in [many, *spaces, *spaces[::-1], many]:
        layouts.changed(space, 0, 0)
        number, _ = layouts.of(space)
        for fact in heard[at:]:
            if isinstance(fact, ImageFile):
                symbols.add_image(fact)
            elif isinstance(fact, Layout):
                symbols.add_layout(fact)
            else:
                assert isinstance(fact, Forgotten)
                symbols.forget(fact.number)
        at = len(heard)
        layouts.discarding(Space())  # type: ignore[arg-type]
        code = symbols.code(number)
        for each in space.vmas:
            word = int.from_bytes(each.backing.inode.content[:8], "little")
            assert code.word(each.start) == word == layouts.code(space).word(each.start)
    assert len(heard.of(Layout)) > 130, "forgotten ones are told of again"


def test_a_layout_that_was_forgotten_is_told_of_again_where_it_is_in_use(heard: Heard) -> None:
    layouts = Layouts(heard)
    first: Any = Space(vma(CODE, File()))
    number, _ = layouts.of(first)
    for _ in range(70):
        layouts.of(Space(vma(CODE, File())))  # type: ignore[arg-type]
    assert Forgotten(number) not in heard, "a fact may be about to mean it"
    layouts.discarding(Space())  # type: ignore[arg-type]
    assert Forgotten(number) in heard
    assert layouts.of(first)[0] == heard.of(Layout)[-1].number

"""Is each layout emitted before its first use, once, and again when its files or code changed?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from emu.observe.model.raw_events import CodeReleased, ImageFile, Layout, RawEvent
from emu.observe.record.code_layouts import Layouts
from emu.observe.symbols.symbolizer import Symbols
from kernel.mm.backing.file_pages import FilePages
from kernel.mm.mappings.vma import Prot

CODE, DATA, OTHER = 0x10000, 0x20000, 0x30000


class File:
    """The attributes of an inode that layouts use."""

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
    executable = bool(prot & Prot.EXEC)
    return SimpleNamespace(
        start=start, end=end, offset=0, executable=executable, backing=backing, name=name
    )


class Space:
    def __init__(self, *vmas: Any) -> None:
        self.vmas = list(vmas)

    def overlapping(self, start: int, end: int) -> list[Any]:
        return [each for each in self.vmas if each.start < end and start < each.end]


class Receiver(list[RawEvent]):
    receive = list.append

    def store_stack(self, parts: list[memoryview]) -> bytes:
        return b"".join(parts)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self if isinstance(event, kind)]


@pytest.fixture
def received() -> Receiver:
    return Receiver()


def test_processes_with_the_same_code_have_one_layout(received: Receiver) -> None:
    layouts, file = Layouts(received), File()
    first: Any = Space(vma(CODE, file), vma(DATA, None, Prot.READ))
    second: Any = Space(vma(CODE, file), vma(OTHER, None, Prot.READ))
    assert layouts.of(first) == layouts.of(second)
    (image,), (layout,) = received.of(ImageFile), received.of(Layout)
    assert image.content == b"code" and layout.ranges[0].image == image.number
    assert received.index(image) < received.index(layout)


def test_only_a_change_of_code_is_one(received: Receiver) -> None:
    layouts, space = Layouts(received), Space(vma(CODE, File()))
    target: Any = space
    first = layouts.of(target)
    assert first[1]
    space.vmas.append(vma(DATA, File(), Prot.READ | Prot.WRITE))
    layouts.changed(target, DATA, DATA + 0x1000)
    assert layouts.of(target) == first and len(received) == 2
    space.vmas.append(vma(OTHER, None))
    layouts.changed(target, OTHER, OTHER + 0x1000)
    assert layouts.of(target) == (first[0], False), "the same files' code, and some in no file"
    layouts.discarding(target)
    assert layouts.of(target, OTHER + 8) == first, "the kernel's own page is none of the program's"
    del space.vmas[-1]
    layouts.changed(target, OTHER, OTHER + 0x1000)
    assert layouts.of(target) == first and len(received) == 2
    space.vmas[0] = vma(OTHER, File(), name="g")
    layouts.changed(target, CODE, CODE + 0x1000)
    assert layouts.of(target) != first
    assert [each.name for each in received.of(Layout)[-1].ranges] == ["g"]


def test_a_file_that_was_written_since_is_another_image(received: Receiver) -> None:
    layouts, file = Layouts(received), File()
    old: Any = Space(vma(CODE, file))
    new: Any = Space(vma(CODE, file))
    before = layouts.of(old)
    file.content, file.mtime = b"another", 2
    assert layouts.of(new) != before == layouts.of(old)
    first, second = received.of(ImageFile)
    assert second.content == b"another"
    assert CodeReleased(first.number) in received


def test_a_file_that_is_mapped_again_after_a_write_is_another_image(received: Receiver) -> None:
    layouts, library, program = Layouts(received), File(), File(b"program")
    space = Space(vma(CODE, program), vma(OTHER, library))
    target: Any = space
    before = layouts.of(target)
    program.mtime, library.content, library.mtime = 2, b"another", 2
    del space.vmas[1]
    layouts.changed(target, OTHER, OTHER + 0x1000)
    space.vmas.append(vma(OTHER, library))
    layouts.changed(target, OTHER, OTHER + 0x1000)
    assert layouts.of(target) != before
    contents = [each.content for each in received.of(ImageFile)]
    assert contents == [b"program", b"code", b"another"], "the program is mapped as it was"


def test_a_builder_has_all_layouts_that_it_needs(received: Receiver) -> None:
    """For any number of programs and files: 64 of each are cached."""
    layouts, symbols = Layouts(received), Symbols()
    many: Any = Space(*(vma(OTHER + 0x1000 * n, File(bytes([n]) * 16)) for n in range(100)))
    spaces: list[Any] = [Space(vma(CODE, File(n.to_bytes(2, "big") * 8))) for n in range(100)]
    at = 0
    for space in [many, *spaces, *spaces[::-1], many]:
        layouts.changed(space, 0, 0)
        number, _ = layouts.of(space)
        for event in received[at:]:
            if isinstance(event, ImageFile):
                symbols.add_image(event)
            elif isinstance(event, Layout):
                symbols.add_layout(event)
            else:
                assert isinstance(event, CodeReleased)
                symbols.forget(event.number)
        at = len(received)
        layouts.discarding(Space())  # type: ignore[arg-type]
        code = symbols.code(number)
        for each in space.vmas:
            word = int.from_bytes(each.backing.inode.content[:8], "little")
            assert code.word(each.start) == word == layouts.code(space).word(each.start)
    assert len(received.of(Layout)) > 130, "released ones are emitted again"


def test_a_released_layout_is_emitted_again_where_it_is_in_use(
    received: Receiver,
) -> None:
    layouts = Layouts(received)
    first: Any = Space(vma(CODE, File()))
    number, _ = layouts.of(first)
    for _ in range(70):
        layouts.of(Space(vma(CODE, File())))  # type: ignore[arg-type]
    assert CodeReleased(number) not in received, "the current event may refer to it"
    layouts.discarding(Space())  # type: ignore[arg-type]
    assert CodeReleased(number) in received
    assert layouts.of(first)[0] == received.of(Layout)[-1].number

"""Shared anonymous memory."""

from __future__ import annotations

from collections.abc import Mapping

from mypy_extensions import mypyc_attr

from kernel.mm.backing.backing import empty_page, held_between
from kernel.mm.physical.frames import Frames, Kind
from kernel.mm.physical.numpy_threshold import is_few


@mypyc_attr(allow_interpreted_subclasses=True)
class SharedMemory:
    """The pages of a shared anonymous mapping: initially zero, freed with the last Vma."""

    needs_write_notice = False
    in_huge_pages = False

    def __init__(self, frames: Frames, pages: int) -> None:
        self.users = 0
        self.in_memory = True
        self.dirty: set[int] = set()
        self._frames = frames
        self._size = pages
        self._pages: dict[int, int] = {}

    def frame(self, index: int) -> int | None:
        ppn = self._pages.get(index)
        if ppn is None:
            if index >= self._size:
                return None
            ppn = self._pages[index] = self._frames.allocate_zeroed(Kind.CACHE)
        return ppn

    def cached(self, first: int, end: int) -> list[tuple[int, int]]:
        return held_between(self._pages, first, end)

    def resident(self, index: int) -> bool:
        return index in self._pages

    def stored_to(self, index: int) -> None:
        self.dirty.add(index)

    def write_back(self, first: int, last: int) -> None:
        pass

    def remove(self, first: int, last: int) -> None:
        for index in [index for index in self._pages if first <= index <= last]:
            empty_page(self._frames, self._pages, index)
            self.dirty.discard(index)

    def held(self) -> Mapping[int, int]:
        return self._pages

    def unmapped(self, space: object, first: int, end: int) -> None:
        pass

    def unused(self) -> None:
        frames = self._pages.values()
        if is_few(len(frames)):
            self._frames.release_each(frames)
        else:
            self._frames.release_many(frames)
        self._pages.clear()

"""An address space as /proc reads it: implements :class:`kernel.vfs.proc.protocol.ProcMemory`."""

from __future__ import annotations

from kernel.base.errno import EIO
from kernel.base.errors import Errno, OutOfMemory
from kernel.base.memory_figures import MemoryFigures
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.image_layout import ImageLayout
from kernel.mm.usage import clear_refs, figures, maps_text
from kernel.mm.usage.pagemap import pagemap


class MemoryView:
    """Reads ``space`` at each call."""

    __slots__ = ("_space",)

    def __init__(self, space: AddressSpace) -> None:
        self._space = space

    @property
    def image(self) -> ImageLayout:
        return self._space.image

    @property
    def heap_start(self) -> int:
        return self._space.brk_start

    @property
    def huge_pages_disabled(self) -> bool:
        """True after PR_SET_THP_DISABLE of prctl(2)."""
        return self._space.huge_pages.disabled

    def maps_text(self) -> str:
        return maps_text.maps_text(self._space)

    def smaps_text(self) -> str:
        return maps_text.smaps_text(self._space)

    def smaps_rollup_text(self) -> str:
        return maps_text.smaps_rollup_text(self._space)

    def figures(self) -> MemoryFigures:
        return figures.figures(self._space)

    def pagemap(self, first: int, count: int, *, expose_frames: bool) -> bytes:
        return pagemap(self._space, first, count, expose_frames=expose_frames)

    def clear_refs(self, what: int) -> None:
        try:
            clear_refs.clear_refs(self._space, what)
        except OutOfMemory:
            raise Errno(EIO) from None

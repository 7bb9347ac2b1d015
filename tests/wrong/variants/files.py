"""The page cache shows, keeps or writes the wrong bytes of a file."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import Edit, Variant, wrong

_pages = "kernel.mm.backing.file_pages:FilePages."
_truncated = partial(wrong, where=_pages + "after_truncate")

VARIANTS = [
    wrong(
        "written-beyond-the-end", "a file grows to a whole page when its last page is written back",
        _pages + "_write_page",
        "min(PAGE_SIZE, self.inode.size - offset)", "PAGE_SIZE",
    ),
    wrong(
        "never-written-back", "stores to a shared mapping do not reach the file",
        _pages + "_write_page", "self.inode.write_at(offset, data)", "pass",
    ),
    wrong(
        "tail-not-zeroed", "behind a file's end its last page holds what the frame held before",
        _pages + "frame", "allocate_zeroed", "allocate",
    ),
    wrong(
        "cached-and-mapped-is-dropped", "the cache frees the frames that are mapped",
        _pages + "drop", "and self._frames.count(ppn) == 1", "",
    ),
    wrong(
        "cache-not-pinned", "the cache hands out a frame a second time without a count",
        _pages + "unused", "self._stored.clear()",
        "self._stored.clear()\n    for ppn in self._pages.values():\n"
        "        self._frames.release(ppn)",
    ),
    wrong(
        "read-misses-stores", "read(2) does not see what was stored to a mapping",
        _pages + "overlay", "if not self._stored:", "if True:",
    ),
    Variant(
        "exit-forgets-stores", "what a process stored to a shared file is lost when it ends",
        (
            Edit(
                "kernel.mm.address_space:AddressSpace.leave",
                "self.write_back(vma, vma.start, vma.end)", "pass",
            ),
            Edit(_pages + "unused", "self._write_page(index)", "pass"),
        ),
    ),
    _truncated(
        "cut-keeps-pages-mapped", "pages beyond a file's new end stay mapped",
        old="if self.users:", new="if False:",
    ),
    _truncated(
        "cut-keeps-the-tail", "what was cut off the last page is there again when the file grows",
        old="if last is not None and keep:", new="if False:",
    ),
    wrong(
        "beyond-the-end", "a page beyond the file's end is zeroes and no SIGBUS",
        _pages + "frame",
        "if not data and index << PAGE_SHIFT >= self.inode.size:", "if False:",
    ),
    wrong(
        "shared-memory-leaks", "shared memory keeps its frames when nobody maps it",
        "kernel.mm.backing.shared_memory:SharedMemory.unused",
        "self._frames.release_many(frames)", "pass",
    ),
    wrong(
        "few-shared-pages-leak", "a little shared memory keeps its frames when nobody maps it",
        "kernel.mm.backing.shared_memory:SharedMemory.unused",
        "self._frames.release_each(frames)", "pass",
    ),
]  # fmt: skip

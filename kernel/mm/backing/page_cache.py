"""The page cache."""

from __future__ import annotations

from kernel.mm.backing.backing import Unmap, unmap_nothing
from kernel.mm.backing.file_frames import FileFrames
from kernel.mm.backing.file_pages import FilePages
from kernel.mm.physical.frames import Frames
from kernel.vfs.core.inode import Inode
from kernel.vfs.memfs.sparse_bytes import SparseBytes


class PageCache:
    """The page cache: the :class:`FilePages` of every file that is or was mapped, and the files in
    memory.
    """

    def __init__(self, frames: Frames, unmap: Unmap = unmap_nothing) -> None:
        self._frames = frames
        self.unmap = unmap
        self._files: list[FilePages] = []
        self.memory = FileFrames(frames, unmap)

    def pages_of(self, inode: Inode) -> FilePages | SparseBytes:
        """Returns the file's pages, without those cached from an older content."""
        own = inode.in_memory
        if isinstance(own, SparseBytes) and own.store is self.memory:
            inode.mapping, own.inode = own, inode
            return own
        pages = inode.mapping
        if not isinstance(pages, FilePages):
            self._forget_removed()
            pages = inode.mapping = FilePages(self._frames, inode, self.unmap)
            self._files.append(pages)
        elif not pages.users:
            pages.refresh()
        return pages

    def _forget_removed(self) -> None:
        """Drops the files whose last name was removed since they were mapped."""
        for pages in self._files:
            pages.inode.drop_unused_pages()
            if pages.inode.mapping is not pages:
                pages.drop()
        self._files = [
            pages for pages in self._files if pages.inode.mapping is pages or not pages.empty
        ]

    @property
    def files(self) -> list[FilePages | SparseBytes]:
        """All files that are cached, mapped or in memory."""
        return [*self._files, *self.memory.files]

    def reclaim(self) -> bool:
        """Frees the pages that no process maps; returns whether there were any."""
        freed = [pages.drop() for pages in self._files]
        for pages in self._files:
            if pages.empty and not pages.users:
                pages.inode.mapping = None
        self._files = [pages for pages in self._files if pages.inode.mapping is pages]
        return any(freed)

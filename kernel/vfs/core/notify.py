"""Events of files, which go to those who watch the file or its directory (inotify(7))."""

from __future__ import annotations

import stat

from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_PATH
from kernel.vfs.core.open_file import Entry, OpenFile

ACCESS, MODIFY, ATTRIB, CLOSE_WRITE, CLOSE_NOWRITE, OPEN = 1, 2, 4, 8, 0x10, 0x20
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
IS_DIRECTORY = 0x4000_0000


def emit(node: Inode, mask: int, name: str = "", *, cookie: int = 0, removed: bool = False) -> None:
    """Sends an event of ``node``, or of ``name`` in it, which is ``removed`` after unlink(2)."""
    if node.watches:
        for listener in list(node.watches):
            listener.happened(mask, name, cookie, removed)


def emit_at(node: Inode, entry: Entry | None, mask: int) -> None:
    """Sends an event of ``node`` to the watchers of the directory in which it was found, and its
    own.
    """
    above = entry is not None and entry.directory.watches
    if not above and not node.watches:
        return
    if node.kind == stat.S_IFDIR:
        mask |= IS_DIRECTORY
    if entry is not None:
        emit(entry.directory, mask, entry.name, removed=entry.removed)
    emit(node, mask)


def emit_of(file: OpenFile, mask: int) -> None:
    emit_at(file.inode, file.found_at, mask)


def is_watched(file: OpenFile) -> bool:
    entry = file.found_at
    return bool(file.inode.watches or (entry is not None and entry.directory.watches))


def opened(file: OpenFile, entry: Entry | None) -> None:
    """Begins the events of an open file, which was found at ``entry``."""
    if file.flags & O_PATH:
        return
    file.found_at = entry
    if file.inode.open_files is None:
        file.inode.open_files = {}
    file.inode.open_files[file] = None
    file.closing = _closed
    emit_of(file, OPEN)


def _closed(file: OpenFile) -> None:
    node, entry = file.inode, file.found_at
    if node.open_files is not None:
        node.open_files.pop(file, None)
    emit_of(file, CLOSE_WRITE if file.writable else CLOSE_NOWRITE)
    if entry is not None and entry.removed and not _at(node, entry, removed=True):
        _end_nameless(node)


def is_last_name(node: Inode) -> bool:
    """True when the removal of one name leaves no other; only asked for watched nodes."""
    return bool(node.watches) and (node.kind == stat.S_IFDIR or node.stat().nlink <= 1)


def removed(node: Inode, entry: Entry, *, was_last: bool) -> None:
    """Reports that unlink(2) or rmdir(2) removed a name."""
    is_directory = node.kind == stat.S_IFDIR
    if not is_directory:
        emit(node, ATTRIB)
    lose_name(node, entry, was_last=was_last)
    emit(entry.directory, DELETE | (IS_DIRECTORY if is_directory else 0), entry.name)


def lose_name(node: Inode, entry: Entry, *, was_last: bool) -> None:
    """Ends the watches of a node with its last name, or when no open file has that any more."""
    node.nameless = node.nameless or was_last
    files = _at(node, entry)
    for file in files:
        if file.found_at is not None:
            file.found_at.removed = True
    if not files:
        _end_nameless(node)


def moved(node: Inode, source: Entry, target: Entry, cookie: int) -> None:
    """Reports that a name was moved."""
    mark = IS_DIRECTORY if node.kind == stat.S_IFDIR else 0
    emit(source.directory, MOVED_FROM | mark, source.name, cookie=cookie)
    emit(target.directory, MOVED_TO | mark, target.name, cookie=cookie)


def follow(node: Inode, source: Entry, target: Entry) -> None:
    """Lets the open files of a node that was moved have its new name."""
    for file in _at(node, source):
        file.found_at = Entry(target.directory, target.name)


def _at(node: Inode, entry: Entry, *, removed: bool = False) -> list[OpenFile]:
    """The open files of ``node`` that were found at ``entry``, or where that was."""
    return [
        file
        for file in node.open_files or ()
        if isinstance(file, OpenFile)
        and file.found_at is not None
        and file.found_at.directory is entry.directory
        and file.found_at.name == entry.name
        and file.found_at.removed == removed
    ]


def _end_nameless(node: Inode) -> None:
    if node.watches and node.nameless:
        emit(node, DELETE_SELF)
        for listener in list(node.watches):
            listener.ended()

"""Seals of files in memory: F_ADD_SEALS and F_GET_SEALS of fcntl(2)."""

from __future__ import annotations

from kernel.base.errno import EBUSY, EINVAL, EPERM
from kernel.base.errors import Errno
from kernel.syscalls.context import SyscallContext
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.core.seals import ALL_SEALS, Seal
from kernel.vfs.memfs.nodes import MemFile


def get_seals(file: OpenFile) -> int:
    return int(_node(file).seals)


def add_seals(t: SyscallContext, file: OpenFile, seals: int) -> int:
    if not file.writable:
        raise Errno(EPERM)
    if seals & ~ALL_SEALS:
        raise Errno(EINVAL)
    node = _node(file)
    if node.seals & Seal.SEAL:
        raise Errno(EPERM)
    if seals & Seal.EXEC and node.mode & 0o111:
        seals |= Seal.SHRINK | Seal.GROW | Seal.WRITE | Seal.FUTURE_WRITE
    if seals & Seal.WRITE and not node.seals & Seal.WRITE and _has_writable_mapping(t, node):
        raise Errno(EBUSY)
    node.seals |= Seal(seals)
    return 0


def _node(file: OpenFile) -> MemFile:
    if not isinstance(file.inode, MemFile):
        raise Errno(EINVAL)
    return file.inode


def _has_writable_mapping(t: SyscallContext, node: Inode) -> bool:
    """True when a shared mapping of the file is or may become writable."""
    mapping: object = node.mapping
    if node.mapping is None or not node.mapping.users:
        return False
    spaces = {process.space for process in t.kernel.processes.values() if process.alive}
    return any(
        vma.shared and vma.may_write and vma.backing is mapping
        for space in spaces
        for vma in space.vmas
    )

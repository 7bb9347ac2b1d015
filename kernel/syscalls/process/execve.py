"""Execution of programs: execve(2), execveat(2)."""

from __future__ import annotations

from kernel.base.errno import E2BIG, EINVAL, ENAMETOOLONG
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.exec import loader
from kernel.exec.enter_image import replace_image
from kernel.exec.initial_stack import Request
from kernel.process.exit import exit_process
from kernel.process.exit_status import ExitStatus
from kernel.process.signals.signals import Sig
from kernel.syscalls.context import SyscallContext
from kernel.vfs.core.linux_abi import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW

_MAX_STRINGS = 1 << 17


def execve(t: SyscallContext, path: int, arguments: int, environment: int) -> Result:
    return _exec(t, _text(t, path), arguments, environment)


def execveat(
    t: SyscallContext, directory: int, path: int, arguments: int, environment: int, flags: int
) -> Result:
    """Executes a path relative to a descriptor, or the descriptor's file with AT_EMPTY_PATH."""
    if flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW):
        raise Errno(EINVAL)
    name = _text(t, path)
    if not name and flags & AT_EMPTY_PATH:
        name = f"/proc/self/fd/{directory}"
    elif directory != AT_FDCWD and not name.startswith("/"):
        t.files.get(directory)
        name = f"/proc/self/fd/{directory}/{name}"
    return _exec(t, name, arguments, environment)


def _exec(t: SyscallContext, path: str, arguments: int, environment: int) -> Result:
    request = Request(path, _strings(t, arguments), _strings(t, environment))
    if not request.arguments:
        request.arguments.append(b"")
    image = loader.load(t.kernel, t.fs, t.process.limits, request)
    if not image.space.may_expand(0, is_data=True):
        # As in Linux the old image has been released when the new one does not fit.
        image.discard()
        exit_process(t.kernel, t.process, ExitStatus(Sig.SEGV))
        return None
    try:
        t.process.files = t.files.own()
    except Errno:
        image.discard()
        raise
    replace_image(t.kernel, t.thread, image)
    return None


def _text(t: SyscallContext, address: int) -> str:
    return t.mem.read_cstr(address).decode("utf-8", "surrogateescape")


def _strings(t: SyscallContext, address: int) -> list[bytes]:
    """Reads a NULL-terminated vector of strings; address 0 is an empty vector."""
    strings: list[bytes] = []
    total = 0
    while address:
        pointer = t.mem.read_u64(address + 8 * len(strings))
        if not pointer:
            break
        try:
            text = t.mem.read_cstr(pointer, 1 << 17)
        except Errno as error:
            too_long = error.errno == ENAMETOOLONG
            raise Errno(E2BIG if too_long else error.errno) from None
        strings.append(text)
        total += len(text) + 9
        if len(strings) > _MAX_STRINGS or total > 2 << 20:
            raise Errno(E2BIG)
    return strings
